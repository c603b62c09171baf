import { randomBytes } from 'node:crypto';
import { Fault } from '../base/index.js';
import { Address, Cidr, type Encapsulation, type Family } from '../model/index.js';
import type { IpPoolFields } from '../model/v3/index.js';
import { ROUTE_PROTOCOL } from '../netlink/index.js';
import type { NodeWarning } from './choose-address.js';
import { isUsable, type HostView } from './detect-address.js';

/** `CALICO_IPV4POOL_*` or `CALICO_IPV6POOL_*` as texts; empty or absent means Calico's default. */
export interface PoolSettings {
  readonly cidr?: string;
  readonly ipip?: string;
  readonly vxlan?: string;
  readonly blockSize?: string;
  readonly nodeSelector?: string;
  readonly natOutgoing?: string;
  readonly disableBgpExport?: string;
}

/** Annotation of a default pool: the node that made it, so that `status` can say so. */
export const MADE_BY_ANNOTATION = 'calico-libnetwork/made-by';

/** Calico's first choice for IPv4 and what it falls back to; Docker's own 172.17.0.0/16 is left out. */
const CANDIDATES: readonly Cidr[] = [
  Cidr.parse('192.168.0.0/16'),
  ...Array.from({ length: 16 }, (_, index) => index + 16)
    .filter((octet) => octet !== 17)
    .map((octet) => Cidr.parse(`172.${octet}.0.0/16`)),
];

export interface DefaultPoolInput {
  readonly family: Family;
  readonly settings: PoolSettings;
  readonly nodeName: string;
  readonly view: HostView;
  /** Addresses of all Nodes and CIDRs of pools of the datastore: never inside a new pool. */
  readonly taken: readonly (Address | Cidr)[];
  /** 5 random bytes, for the IPv6 network. */
  readonly random?: Uint8Array;
}

export interface DefaultPool {
  /** Undefined when none shall be made. */
  readonly pool?: IpPoolFields;
  readonly warning?: NodeWarning;
}

/**
 * The pool that a datastore without any of the family gets, named and made as Calico does, but clear of
 * every route and address of this host and of the other Nodes. Throws `invalid` for a setting that
 * cannot be used, with its variable.
 */
export function defaultPool(input: DefaultPoolInput): DefaultPool {
  const { family, settings } = input;
  const wanted = (settings.cidr ?? '').trim();
  if (wanted.toLowerCase() === 'none') return {};
  if (wanted !== '') return configuredPool(input, wanted);
  const cidr =
    family === 6 ? uniqueLocalNetwork(input.random ?? randomBytes(5)) : freeCandidate(input);
  if (cidr !== undefined) return { pool: poolFields(input, cidr) };
  const message =
    'no default IPv4 pool was made: this host has routes into 192.168.0.0/16 and all of 172.16.0.0/12; ' +
    'set CALICO_IPV4POOL_CIDR, or create a pool with calicoctl create -f';
  return { warning: { reason: 'no-room-for-default-pool', message } };
}

function configuredPool(input: DefaultPoolInput, wanted: string): DefaultPool {
  const variable = variableOf(input.family, 'CIDR');
  const cidr = Cidr.tryParse(wanted);
  if (cidr === undefined || cidr.family !== input.family) {
    throw badSetting(variable, wanted, `an IPv${input.family} network in CIDR form, or none`);
  }
  const pool = poolFields(input, cidr);
  const clash = occupied(input).find((other) => overlaps(cidr, other));
  if (clash === undefined) return { pool };
  const message = `${variable}=${cidr} overlaps ${clash}, which this host or a Node uses; made as asked`;
  return { pool, warning: { reason: 'pool-overlaps-host', message } };
}

function freeCandidate(input: DefaultPoolInput): Cidr | undefined {
  const inUse = occupied(input);
  // Routes of other hosts' blocks may stand in it as well, by BIRD.
  const lost = CANDIDATES.find((candidate) =>
    remains(input).some((one) => overlaps(candidate, one)),
  );
  if (lost !== undefined) return lost;
  return CANDIDATES.find((candidate) => !inUse.some((other) => overlaps(candidate, other)));
}

/** Running containers: their pool is gone from the datastore, or none would be made. */
function remains({ view }: DefaultPoolInput): readonly Cidr[] {
  return view.routes
    .filter(({ protocol, destination }) => protocol === ROUTE_PROTOCOL && destination.isHost)
    .map(({ destination }) => destination);
}

/** Routes of ours are left out: after a lost datastore they are what remains of the very pool to be made again. */
function occupied({ view, taken }: DefaultPoolInput): readonly (Address | Cidr)[] {
  return [
    ...view.routes
      .filter((route) => route.destination.prefix > 0 && route.protocol !== ROUTE_PROTOCOL)
      .map((route) => route.destination),
    ...view.addresses.filter((entry) => isUsable(entry.address)).map((entry) => entry.address),
    ...taken,
  ];
}

function overlaps(cidr: Cidr, other: Address | Cidr): boolean {
  return other instanceof Cidr ? cidr.overlaps(other) : cidr.contains(other);
}

/** RFC 4193: fd, 40 random bits, subnet 0. */
function uniqueLocalNetwork(random: Uint8Array): Cidr {
  const bytes = new Uint8Array(16);
  bytes[0] = 0xfd;
  bytes.set(random.subarray(0, 5), 1);
  return Cidr.of(Address.fromBytes(bytes), 48);
}

function poolFields(input: DefaultPoolInput, cidr: Cidr): IpPoolFields {
  const { family, settings, nodeName } = input;
  const ipipMode = family === 6 ? 'Never' : encapsulation(family, 'IPIP', settings.ipip);
  const vxlanMode = encapsulation(family, 'VXLAN', settings.vxlan);
  if (ipipMode !== 'Never' && vxlanMode !== 'Never') {
    const both = `${variableOf(family, 'IPIP')} and ${variableOf(family, 'VXLAN')}`;
    throw new Fault('invalid', `${both} are both on; a pool has one encapsulation: turn one off`, {
      reason: 'bad-setting',
    });
  }
  return {
    name: `default-ipv${family}-ippool`,
    cidr,
    blockSize: blockSize(family, settings.blockSize, cidr),
    ipipMode,
    vxlanMode,
    natOutgoing: flag(family, 'NAT_OUTGOING', settings.natOutgoing, family === 4),
    disableBgpExport: flag(family, 'DISABLE_BGP_EXPORT', settings.disableBgpExport, false),
    nodeSelector: settings.nodeSelector?.trim() || 'all()',
    annotations: { [MADE_BY_ANNOTATION]: nodeName },
  };
}

function encapsulation(family: Family, suffix: string, text = ''): Encapsulation {
  switch (text.trim().toLowerCase()) {
    case '':
    case 'never':
    case 'off':
      return 'Never';
    case 'always':
      return 'Always';
    case 'crosssubnet':
    case 'cross-subnet':
      return 'CrossSubnet';
    default:
      throw badSetting(variableOf(family, suffix), text, 'Always, CrossSubnet or Never');
  }
}

function blockSize(family: Family, text: string | undefined, cidr: Cidr): number {
  const [lowest, usual, highest] = family === 4 ? [20, 26, 32] : [116, 122, 128];
  const value = (text ?? '').trim();
  const size = value === '' ? Math.max(usual, cidr.prefix) : Number(value);
  if (Number.isInteger(size) && size >= Math.max(lowest, cidr.prefix) && size <= highest)
    return size;
  throw badSetting(
    variableOf(family, 'BLOCK_SIZE'),
    value,
    `${Math.max(lowest, cidr.prefix)} to ${highest} for ${cidr}`,
  );
}

function flag(
  family: Family,
  suffix: string,
  text: string | undefined,
  fallback: boolean,
): boolean {
  switch ((text ?? '').trim().toLowerCase()) {
    case '':
      return fallback;
    case 'true':
    case '1':
    case 'yes':
      return true;
    case 'false':
    case '0':
    case 'no':
      return false;
    default:
      throw badSetting(variableOf(family, suffix), text ?? '', 'true or false');
  }
}

const variableOf = (family: Family, suffix: string): string => `CALICO_IPV${family}POOL_${suffix}`;

function badSetting(variable: string, found: string, use: string): Fault {
  return new Fault('invalid', `${variable} is "${found.trim()}"; use ${use}`, {
    reason: 'bad-setting',
  });
}
