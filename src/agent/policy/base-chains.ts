import { families } from '../../model/index.js';
import type { TierList } from './applied-policies.js';
import type { Chain, RuleSink } from './ports.js';
import {
  ACCEPT_MARK,
  CLEAR_MARKS,
  commentText,
  FROM_WORKLOAD,
  nodeSet,
  PASS_MARK,
  sourceSet,
  TO_WORKLOAD,
  WAITING,
  type Direction,
} from './rule-names.js';

/** An empty chain whose name is the version of this layout: a table that has it can be added to unseen. */
export const LAYOUT_CHAIN = 'layout-2';

const WORKLOADS = '"cali*"';
const hook = (type: string, at: string, priority: string): string =>
  `type ${type} hook ${at} priority ${priority}; policy accept;`;

/**
 * Chains that are the same whoever lives on the host. They stand before iptables' own filter chains
 * (priority filter): what is dropped here never gets there, what is accepted carries the accept mark.
 *
 * Established and related flows pass before any rule of a policy, as with Felix. Sources are checked before connection tracking, so a forged packet leaves
 * no entry behind. Forged ARP needs no rule: every endpoint is alone on its link, and what it claims
 * there is believed for that link only.
 */
const BASE_CHAINS: Readonly<Record<string, Chain>> = {
  [LAYOUT_CHAIN]: { rules: [] },
  'raw-pre': {
    hook: hook('filter', 'prerouting', 'raw'),
    rules: [`iifname ${WORKLOADS} goto wl-raw`],
  },
  'wl-raw': {
    rules: [
      'icmpv6 type { nd-router-advert, nd-redirect } counter drop comment "router advertisement or redirect from a container"',
      'icmp type redirect counter drop comment "redirect from a container"',
      `iifname . ip saddr @${sourceSet(4)} accept`,
      `iifname . ip6 saddr @${sourceSet(6)} accept`,
      // A link-local source cannot leave its link; the gateway's neighbour discovery needs it.
      'ip6 saddr fe80::/10 accept',
      'ip6 saddr :: icmpv6 type { nd-neighbor-solicit, nd-router-solicit, mld-listener-report, mld2-listener-report } accept comment "duplicate address detection"',
      'ip saddr 0.0.0.0 ip daddr 255.255.255.255 udp sport 68 udp dport 67 accept comment "DHCP discovery"',
      'counter drop comment "source address not of this endpoint"',
    ],
  },
  'f-forward': {
    hook: hook('filter', 'forward', 'filter - 10'),
    rules: [
      `iifname ${WORKLOADS} jump ${FROM_WORKLOAD}`,
      `oifname ${WORKLOADS} jump ${TO_WORKLOAD}`,
    ],
  },
  // The host itself may always reach its own containers: there is no output chain.
  'f-input': {
    hook: hook('filter', 'input', 'filter - 10'),
    rules: [`iifname ${WORKLOADS} goto wl-to-host`],
  },
  'wl-to-host': {
    rules: [
      'icmpv6 type { mld-listener-query, mld-listener-report, mld-listener-done, mld2-listener-report, nd-router-solicit, nd-neighbor-solicit, nd-neighbor-advert } accept',
      // What the profile lets out goes on to the host's own firewall, which decides.
      `jump ${FROM_WORKLOAD}`,
    ],
  },
  [WAITING]: { rules: ['counter drop comment "policies are not known yet"'] },
  [FROM_WORKLOAD]: {
    rules: [`iifname vmap @${FROM_WORKLOAD}`, 'counter drop comment "unknown workload interface"'],
  },
  [TO_WORKLOAD]: {
    rules: [`oifname vmap @${TO_WORKLOAD}`, 'counter drop comment "unknown workload interface"'],
  },
};

/** Puts sets, maps and chains that never go away. */
export function putBase(sink: RuleSink): void {
  for (const name of [FROM_WORKLOAD, TO_WORKLOAD]) {
    sink.putSet(name, { kind: 'map', type: 'ifname : verdict' });
  }
  for (const family of families) {
    sink.putSet(sourceSet(family), { kind: 'set', type: `ifname . ipv${family}_addr` });
    sink.putSet(nodeSet(family), { kind: 'set', type: `ipv${family}_addr` });
  }
  for (const [name, chain] of Object.entries(BASE_CHAINS)) sink.putChain(name, chain);
}

const hex = (mark: number): string => `0x${mark.toString(16)}`;
const ACCEPT = `meta mark set meta mark | ${hex(ACCEPT_MARK)} return`;
const IF_ACCEPTED = `meta mark & ${hex(ACCEPT_MARK)} != 0 return`;

export interface ListContent {
  readonly direction: Direction;
  /** In order, each with the chain of its policies. */
  readonly tiers: readonly ({ readonly chain: string } & TierList)[];
  /** Chains of the profiles, in order. */
  readonly profiles: readonly string[];
  readonly hostReach: 'own' | 'all';
}

/**
 * The chain that all endpoints with one ordered list of tiers and profiles share, per direction.
 * Order of the steps as in Felix (node-agent §5.1).
 */
export function listRules({ direction, tiers, profiles, hostReach }: ListContent): string[] {
  return [
    `meta mark set meta mark & ${hex(CLEAR_MARKS)}`,
    `ct state established,related ${ACCEPT}`,
    'ct state invalid counter drop comment "invalid connection state"',
    ...(direction === 'ingress' ? hostRules(hostReach) : ENCAPSULATED),
    ...tiers.flatMap(({ chain }) => [`jump ${chain}`, IF_ACCEPTED]),
    ...profiles.flatMap((chain) => [`jump ${chain}`, IF_ACCEPTED]),
    'counter drop comment "no profile matched"',
  ];
}

/** The policies of one tier: Allow and Pass leave it, what none of them decides is denied or passed on. */
export function tierRules(
  { name, defaultAction }: TierList,
  policies: readonly string[],
): string[] {
  return [
    `meta mark set meta mark & ${hex(~PASS_MARK >>> 0)}`,
    ...policies.flatMap((chain) => [
      `jump ${chain}`,
      `meta mark & ${hex(ACCEPT_MARK | PASS_MARK)} != 0 return`,
    ]),
    ...(defaultAction === 'Pass'
      ? []
      : [`counter drop comment "${commentText(`end of tier ${name}`)}"`]),
  ];
}

const ENCAPSULATED: readonly string[] = [
  'udp dport 4789 counter drop comment "VXLAN from a container"',
  'meta l4proto 4 counter drop comment "IP in IP from a container"',
];

function hostRules(hostReach: 'own' | 'all'): string[] {
  if (hostReach === 'own') return [];
  return families.map(
    (family) =>
      `${family === 4 ? 'ip' : 'ip6'} saddr @${nodeSet(family)} counter ${ACCEPT} comment "hosts reach all"`,
  );
}
