import { Fault } from '../base/index.js';
import type { Address, Family, Node } from '../model/index.js';
import { toAsNumber } from '../model/v3/index.js';
import { sourceTowards } from './can-reach.js';
import {
  chooseAddress,
  parseAddressSetting,
  type AddressSetting,
  type NodeWarning,
} from './choose-address.js';
import type { PoolSettings } from './default-pools.js';
import { parseDetectionMethod, type DetectionMethod, type HostView } from './detect-address.js';

/** Calico's variables about a node, as texts; absent or empty means not set. */
export interface NodeSettings {
  /** `IP`: address, CIDR, `autodetect` or `none`. */
  readonly ip?: string;
  /** `IP6`. */
  readonly ip6?: string;
  /** `IP_AUTODETECTION_METHOD`. */
  readonly ipAutodetectionMethod?: string;
  /** `IP6_AUTODETECTION_METHOD`. */
  readonly ip6AutodetectionMethod?: string;
  /** `AS`: number, or dotted `hi.lo`. */
  readonly as?: string;
  /** `NO_DEFAULT_POOLS` is `true`. */
  readonly noDefaultPools: boolean;
  readonly ipv4Pool: PoolSettings;
  readonly ipv6Pool: PoolSettings;
  /** False when `DISABLE_NODE_IP_CHECK` is `true`; checked unless told. */
  readonly checkAddressConflicts?: boolean;
}

interface FamilySettings {
  readonly setting: AddressSetting;
  readonly method: DetectionMethod;
}

export interface ParsedNodeSettings {
  readonly ipv4: FamilySettings;
  readonly ipv6: FamilySettings;
  readonly asNumber?: number;
  /** Asks the kernel for the families whose method is `can-reach`. */
  findSources(signal?: AbortSignal): Promise<ReadonlyMap<Family, Address>>;
}

/** Throws `invalid`, naming the variable, for the first setting that cannot be used. */
export function parseNodeSettings(settings: NodeSettings): ParsedNodeSettings {
  const ipv4 = familySettings(settings, 4);
  const ipv6 = familySettings(settings, 6);
  const text = (settings.as ?? '').trim();
  const asNumber = text === '' ? undefined : toAsNumber(text);
  if (text !== '' && asNumber === undefined) {
    throw new Fault('invalid', `AS is "${text}"; use a number such as 64512, or 1.10`, {
      reason: 'bad-setting',
    });
  }
  return {
    ipv4,
    ipv6,
    ...(asNumber === undefined ? {} : { asNumber }),
    findSources: (signal) => findSources({ 4: ipv4, 6: ipv6 }, signal),
  };
}

function familySettings(settings: NodeSettings, family: Family): FamilySettings {
  const v4 = family === 4;
  const name = v4 ? 'IP' : 'IP6';
  return {
    setting: parseAddressSetting((v4 ? settings.ip : settings.ip6) ?? '', family, name),
    method: parseDetectionMethod(
      (v4 ? settings.ipAutodetectionMethod : settings.ip6AutodetectionMethod) ?? '',
      `${name}_AUTODETECTION_METHOD`,
    ),
  };
}

async function findSources(
  all: Readonly<Record<Family, FamilySettings>>,
  signal?: AbortSignal,
): Promise<ReadonlyMap<Family, Address>> {
  const sources = new Map<Family, Address>();
  for (const family of [4, 6] as const) {
    const { setting, method } = all[family];
    const detects = setting.kind === 'autodetect' || (setting.kind === 'unset' && family === 4);
    if (!detects || method.kind !== 'can-reach') continue;
    const source = await sourceTowards(method.destination, family, signal);
    if (source !== undefined) sources.set(family, source);
  }
  return sources;
}

export interface AddressInputs {
  readonly parsed: ParsedNodeSettings;
  readonly view: HostView;
  readonly sources: ReadonlyMap<Family, Address>;
}

/** The addresses that the Node is to have; what is to be told goes into `warnings`. */
export function wantedAddresses(
  { parsed, view, sources }: AddressInputs,
  current: Node | undefined,
  warnings: NodeWarning[],
): { readonly ipv4Address: string | undefined; readonly ipv6Address: string | undefined } {
  const choose = (family: Family, stored: string | undefined): string | undefined => {
    const source = sources.get(family);
    const chosen = chooseAddress({
      family,
      ...(family === 4 ? parsed.ipv4 : parsed.ipv6),
      view,
      ...(stored === undefined ? {} : { current: stored }),
      ...(source === undefined ? {} : { source }),
    });
    if (chosen.warning !== undefined) warnings.push(chosen.warning);
    return chosen.text;
  };
  return {
    ipv4Address: choose(4, current?.ipv4Address),
    ipv6Address: choose(6, current?.ipv6Address),
  };
}

/** `AS` when set, else what the Node has: an unset variable never takes a number away. */
export function wantedAsNumber(
  parsed: ParsedNodeSettings,
  current: Node | undefined,
): number | undefined {
  return parsed.asNumber ?? current?.asNumber;
}
