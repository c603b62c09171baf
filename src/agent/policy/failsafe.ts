import type { Cidr, FailsafePort } from '../../model/index.js';
import { header } from './match.js';
import type { Chain } from './ports.js';
import { PORT_PROTOCOLS, protocolNumber } from './protocols.js';
import { ACCEPT_MARK } from './rule-names.js';

export interface FailsafePorts {
  readonly inbound: readonly FailsafePort[];
  readonly outbound: readonly FailsafePort[];
}

const ports = (protocol: string, list: readonly number[]): FailsafePort[] =>
  list.map((port) => ({ protocol, port }));

/** Felix's own: SSH, DHCP, DNS, BGP, etcd, Typha, Kubernetes (node-agent §5.6). */
export const defaultFailsafePorts: FailsafePorts = {
  inbound: [...ports('tcp', [22, 179, 2379, 2380, 5473, 6443, 6666, 6667]), ...ports('udp', [68])],
  outbound: [...ports('tcp', [179, 2379, 2380, 5473, 6443, 6666, 6667]), ...ports('udp', [53, 67])],
};

export const FAILSAFE = {
  in: 'failsafe-in',
  out: 'failsafe-out',
  rawIn: 'failsafe-raw-in',
  rawOut: 'failsafe-raw-out',
} as const;

const MARK = `counter meta mark set meta mark | 0x${ACCEPT_MARK.toString(16)} return comment "failsafe port"`;
/** Ends the base chain without the mark: such packets are tracked, and asked about again. */
const TRACKED = 'counter accept comment "failsafe port"';
/**
 * Without neighbour discovery no port is reachable over IPv6, whatever is failsafe. Felix leaves it to
 * the user's policy.
 */
const NEIGHBOURS =
  'icmpv6 type { mld-listener-query, mld-listener-report, mld-listener-done, mld2-listener-report, nd-router-solicit, nd-router-advert, nd-neighbor-solicit, nd-neighbor-advert }';

/**
 * Untracked packets have no state: the raw chains admit the answers of the other direction's ports too.
 */
export function failsafeChains({
  inbound,
  outbound,
}: FailsafePorts): Readonly<Record<string, Chain>> {
  return {
    [FAILSAFE.in]: { rules: [`${NEIGHBOURS} ${MARK}`, ...lines(inbound, 'saddr', 'dport', MARK)] },
    [FAILSAFE.out]: {
      rules: [`${NEIGHBOURS} ${MARK}`, ...lines(outbound, 'daddr', 'dport', MARK)],
    },
    [FAILSAFE.rawIn]: {
      rules: [
        `${NEIGHBOURS} ${TRACKED}`,
        ...lines(inbound, 'saddr', 'dport', TRACKED),
        ...lines(outbound, 'saddr', 'sport', TRACKED),
      ],
    },
    [FAILSAFE.rawOut]: {
      rules: [
        `${NEIGHBOURS} ${TRACKED}`,
        ...lines(outbound, 'daddr', 'dport', TRACKED),
        ...lines(inbound, 'daddr', 'sport', TRACKED),
      ],
    },
  };
}

function lines(
  list: readonly FailsafePort[],
  address: 'saddr' | 'daddr',
  side: 'sport' | 'dport',
  statement: string,
): string[] {
  const byNet = new Map<string, { readonly net: Cidr | undefined; readonly keys: Set<string> }>();
  for (const { protocol, port, net } of list) {
    const name = PORT_PROTOCOLS[protocolNumber(protocol) ?? 0];
    // Felix takes any protocol here, and lets none but these do anything.
    if (name === undefined) continue;
    const entry = byNet.get(String(net)) ?? { net, keys: new Set() };
    entry.keys.add(`${name} . ${port}`);
    byNet.set(String(net), entry);
  }
  return [...byNet.values()].map(({ net, keys }) => {
    const peer = net === undefined ? '' : `${header(net.family)} ${address} ${net} `;
    return `${peer}meta l4proto . th ${side} { ${[...keys].join(', ')} } ${statement}`;
  });
}
