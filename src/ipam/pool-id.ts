import { Address, Cidr, type Family } from '../model/index.js';

/**
 * Docker's PoolID: `<pool name or auto>.<family and range>.<random>`, fresh for every RequestPool, so that
 * each ReleasePool is unambiguous, and meaningful on every host without a look-up. The predecessor's
 * forms are read as well: `CalicoPoolIPv4`, `CalicoPoolIPv6` and plain pool names.
 */
export interface PoolId {
  readonly text: string;
  /** Undefined: any automatic pool of the family. */
  readonly poolName: string | undefined;
  /** Undefined when a plain pool name says nothing about it. */
  readonly family: Family | undefined;
  /** `--ip-range`. */
  readonly range: Cidr | undefined;
  /** Made by this program, not by a predecessor. */
  readonly own: boolean;
}

const AUTO = 'auto';
/** `any` instead of `v` says that no pool was named: a pool may itself be called "auto". */
const OWN_FORM =
  /^(?:([a-z0-9](?:[-a-z0-9.]{0,251}[a-z0-9])?)\.(v)|auto\.(any))([46])(?:-([0-9a-f]+)-(\d{1,3}))?\.([0-9a-f]{12})$/;

export function makePoolId(
  parts: {
    readonly poolName: string | undefined;
    readonly family: Family;
    readonly range?: Cidr | undefined;
  },
  random: string,
): PoolId {
  const { poolName, family, range } = parts;
  const rangeText = range === undefined ? '' : `-${range.base.value.toString(16)}-${range.prefix}`;
  return {
    text: `${poolName ?? AUTO}.${poolName === undefined ? 'any' : 'v'}${family}${rangeText}.${random}`,
    poolName,
    family,
    range,
    own: true,
  };
}

export function parsePoolId(text: string): PoolId {
  if (text === 'CalicoPoolIPv4' || text === 'CalicoPoolIPv6') {
    return {
      text,
      poolName: undefined,
      family: text.endsWith('4') ? 4 : 6,
      range: undefined,
      own: false,
    };
  }
  const match = OWN_FORM.exec(text);
  if (match === null)
    return { text, poolName: text, family: undefined, range: undefined, own: false };
  const [, name, , any, version, base, prefix] = match;
  const family: Family = version === '4' ? 4 : 6;
  const range =
    base === undefined
      ? undefined
      : Cidr.of(Address.fromValue(family, BigInt(`0x${base}`)), Number(prefix));
  return { text, poolName: any === undefined ? name : undefined, family, range, own: true };
}
