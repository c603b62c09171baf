import { families, VXLAN_UDP_PORT } from '../../model/index.js';
import type { Chain, RuleSink } from './ports.js';
import {
  ANY_MAC,
  CLEAR_MARKS,
  ENCAPSULATED,
  FROM_WORKLOAD,
  LINKS,
  nodeSet,
  ON_LINK,
  senderSet,
  TO_HOST,
  TO_WORKLOAD,
  WAITING,
} from './rule-names.js';
import { putSourceSets } from './source-guard.js';

/** An empty chain whose name is the version of this layout: a table that has it can be added to unseen. */
export const LAYOUT_CHAIN = 'layout-6';

const WORKLOADS = '"cali*"';
const hook = (type: string, at: string, priority: string): string =>
  `type ${type} hook ${at} priority ${priority}; policy accept;`;

/**
 * Chains that are the same whoever lives on the host. They stand before iptables' own filter chains
 * (priority filter): what is dropped here never gets there, what is accepted carries the accept mark.
 *
 * Established and related flows pass before any rule of a policy, as with Felix; what a change of policy
 * forbids is ended by `FlowCutter`. Sources are checked before connection tracking, so a forged packet leaves
 * no entry behind. What an endpoint claims by ARP or neighbour discovery is believed for its own link
 * only, on which it is alone; but each ARP sender takes one of the places that all neighbours of the host
 * share. A neighbour advertisement takes none: it only changes an entry that is there. Other packets from a
 * link-local address do, and a container can have any number of these: the one that follows from its MAC, which
 * kernels give themselves, is free; from others (`--link-local-ip`, privacy extensions) come as few packets as neighbour
 * discovery needs, so that what they leave until it is collected a minute later is far from filling the table.
 */
const BASE_CHAINS: Readonly<Record<string, Chain>> = {
  [LAYOUT_CHAIN]: { rules: [] },
  'wl-raw': {
    rules: [
      'icmpv6 type { nd-router-advert, nd-redirect } counter drop comment "router advertisement or redirect from a container"',
      'icmp type redirect counter drop comment "redirect from a container"',
      // Its interface routes them, for published ports.
      'ip daddr 127.0.0.0/8 counter drop comment "loopback of the host from a container"',
      `iifname . ether saddr . ip saddr @${senderSet(4, true)} accept`,
      `iifname . ether saddr . ip6 saddr @${senderSet(6, true)} accept`,
      `iifname . ip saddr @${senderSet(4, false)} accept`,
      `iifname . ip6 saddr @${senderSet(6, false)} accept`,
      `iifname . ether saddr @${LINKS} jump wl-on-link`,
      `iifname @${ANY_MAC} jump wl-on-link`,
      'counter drop comment "source address not of this endpoint"',
    ],
  },
  'wl-on-link': {
    rules: [
      `ip6 saddr fe80::/10 icmpv6 type { nd-neighbor-advert, mld-listener-report, mld-listener-done, mld2-listener-report } accept`,
      `ip6 saddr fe80::/10 update @${ON_LINK} { iifname limit rate 4/second burst 16 packets } accept`,
      'ip6 saddr fe80::/10 counter drop comment "too much from link-local addresses"',
      'ip6 saddr :: icmpv6 type { nd-neighbor-solicit, nd-router-solicit, mld-listener-report, mld2-listener-report } accept comment "duplicate address detection"',
      'ip saddr 0.0.0.0 ip daddr 255.255.255.255 udp sport 68 udp dport 67 accept comment "DHCP discovery"',
    ],
  },
  'arp-in': {
    family: 'arp',
    hook: hook('filter', 'input', 'filter'),
    rules: [`iifname ${WORKLOADS} goto arp-wl`],
  },
  'arp-wl': {
    family: 'arp',
    rules: [
      `iifname . arp saddr ether . arp saddr ip @${senderSet('arp', true)} accept`,
      `iifname . arp saddr ip @${senderSet('arp', false)} accept`,
      'arp operation request arp saddr ip 0.0.0.0 accept comment "duplicate address detection"',
      'counter drop comment "ARP for an address not of this endpoint"',
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

/** Where packets come in while this host has no host endpoint. The host itself always reaches its own containers. */
export const workloadChains: Readonly<Record<string, Chain>> = {
  'raw-pre': {
    hook: hook('filter', 'prerouting', 'raw'),
    rules: [`iifname ${WORKLOADS} goto wl-raw`],
  },
  'f-forward': {
    hook: hook('filter', 'forward', 'filter - 10'),
    rules: [
      `iifname ${WORKLOADS} jump ${FROM_WORKLOAD}`,
      `oifname ${WORKLOADS} jump ${TO_WORKLOAD}`,
    ],
  },
  'f-input': {
    hook: hook('filter', 'input', 'filter - 10'),
    rules: [`iifname ${WORKLOADS} goto ${TO_HOST}`],
  },
};

/**
 * Containers send nothing that a host's tunnels would take in. VXLAN's usual port is closed whatever
 * this host uses: another may use it still.
 */
export function encapsulatedChain(vxlanPort = VXLAN_UDP_PORT): Chain {
  const ports = [...new Set([VXLAN_UDP_PORT, vxlanPort])];
  return {
    rules: [
      `udp dport { ${ports.join(', ')} } counter drop comment "VXLAN from a container"`,
      'meta l4proto 4 counter drop comment "IP in IP from a container"',
    ],
  };
}

/** What a container's policy lets out to its own host meets the action (defaultEndpointToHostAction). */
export function toHostChain(action: 'Drop' | 'Accept' | 'Return'): Chain {
  const ends: Readonly<Record<typeof action, readonly string[]>> = {
    Drop: ['counter drop comment "containers do not reach their host"'],
    Accept: ['counter accept'],
    // What the host's own firewall lets in for the mark is for other hosts only.
    Return: [`meta mark set meta mark & 0x${CLEAR_MARKS.toString(16)}`],
  };
  return {
    rules: [
      'icmpv6 type { mld-listener-query, mld-listener-report, mld-listener-done, mld2-listener-report, nd-router-solicit, nd-neighbor-solicit, nd-neighbor-advert } accept',
      `jump ${FROM_WORKLOAD}`,
      ...ends[action],
    ],
  };
}

/** Before the rules of these chains: lets no connection of a container begin, and those that run go on. */
export const SHUT: ReadonlyMap<string, string> = new Map(
  [FROM_WORKLOAD, TO_WORKLOAD].map((name) => [
    name,
    'ct state new counter drop comment "the table is being replaced"',
  ]),
);

/** Puts sets, maps and chains that never go away. */
export function putBase(sink: RuleSink): void {
  for (const name of [FROM_WORKLOAD, TO_WORKLOAD]) {
    sink.putSet(name, { kind: 'map', type: 'ifname : verdict' });
  }
  for (const family of families) {
    sink.putSet(nodeSet(family), { kind: 'set', type: `ipv${family}_addr` });
  }
  putSourceSets(sink);
  for (const [name, chain] of Object.entries(BASE_CHAINS)) sink.putChain(name, chain);
  sink.putChain(ENCAPSULATED, encapsulatedChain());
}
