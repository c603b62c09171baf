import { families, type EncapsulationInUse } from '../../model/index.js';
import type { Chain } from './ports.js';
import {
  ACCEPT_MARK,
  CLEAR_MARKS,
  FROM_WORKLOAD,
  nodeSet,
  TO_HOST,
  TO_WORKLOAD,
  type Direction,
} from './rule-names.js';

/** Where host endpoints are asked, each a map of interfaces and a chain that looks into it. */
export type HostGate =
  'raw-in' | 'raw-out' | 'before-dnat' | 'forward-in' | 'forward-out' | 'in' | 'out';
export const hostGates: readonly HostGate[] = [
  ...(['raw-in', 'raw-out', 'before-dnat'] as const),
  ...(['forward-in', 'forward-out', 'in', 'out'] as const),
];

export const hostMap = (gate: HostGate): string => `hep-${gate}`;
const dispatcher = (gate: HostGate): string => `hep-${gate}-chain`;
export const directionOf = (gate: HostGate): Direction =>
  gate.endsWith('out') ? 'egress' : 'ingress';

const WORKLOADS = '"cali*"';
const hex = (mark: number): string => `0x${mark.toString(16)}`;
const CLEAR = `meta mark set meta mark & ${hex(CLEAR_MARKS)}`;
const ACCEPTED = `meta mark & ${hex(ACCEPT_MARK)} == ${hex(ACCEPT_MARK)}`;
const jump = (gate: HostGate): string => `jump ${dispatcher(gate)}`;
const hook = (type: string, at: string, priority: string): string =>
  `type ${type} hook ${at} priority ${priority}; policy accept;`;

/** Base chains that exist only while this host has host endpoints; the three of containers are others then. */
export const hostOnlyChains: readonly string[] = [
  ...['raw-out', 'mangle-pre', 'f-output', 'm-post'],
  ...hostGates.map(dispatcher),
];

/**
 * The base chains of a host with host endpoints (node-agent §5.6 and §5.8). What its raw or preDNAT
 * policies accept skips its later ones, and is known by the accept mark.
 */
export function hostBaseChains(encapsulation: EncapsulationInUse): Readonly<Record<string, Chain>> {
  return {
    'raw-pre': {
      hook: hook('filter', 'prerouting', 'raw'),
      rules: [
        CLEAR,
        `iifname ${WORKLOADS} goto wl-raw`,
        jump('raw-in'),
        `${ACCEPTED} notrack accept`,
      ],
    },
    'raw-out': {
      hook: hook('filter', 'output', 'raw'),
      rules: [CLEAR, jump('raw-out'), `${ACCEPTED} notrack accept`],
    },
    'mangle-pre': {
      hook: hook('filter', 'prerouting', 'mangle'),
      rules: ['ct state established,related accept', `${ACCEPTED} accept`, jump('before-dnat')],
    },
    'f-forward': {
      hook: hook('filter', 'forward', 'filter - 10'),
      rules: [
        `meta mark & ${hex(ACCEPT_MARK)} == 0 ${jump('forward-in')}`,
        `iifname ${WORKLOADS} jump ${FROM_WORKLOAD}`,
        `oifname ${WORKLOADS} jump ${TO_WORKLOAD}`,
        jump('forward-out'),
      ],
    },
    'f-input': {
      hook: hook('filter', 'input', 'filter - 10'),
      rules: [
        `iifname ${WORKLOADS} goto ${TO_HOST}`,
        `${ACCEPTED} accept`,
        ...tunnelled(encapsulation, 'saddr'),
        jump('in'),
      ],
    },
    'f-output': {
      hook: hook('filter', 'output', 'filter - 10'),
      rules: [
        `${ACCEPTED} accept`,
        ...tunnelled(encapsulation, 'daddr'),
        // Where those go is decided: they are asked about after the translation. Not `== 0` with the
        // jump behind it: a packet without connection, invalid or untracked, has no status to compare.
        'ct status & dnat != 0 accept',
        jump('out'),
      ],
    },
    'm-post': {
      hook: hook('filter', 'postrouting', 'mangle'),
      rules: [
        // Forwarded: those have been asked about already.
        'meta iif != 0 accept',
        `${ACCEPTED} accept`,
        `ct status & dnat != 0 ${jump('out')}`,
      ],
    },
  };
}

/** One look at the interface; then the host endpoint of all interfaces, which neither means lo nor containers. */
export function dispatchChains(
  wildcard: Readonly<Partial<Record<HostGate, string>>>,
): Readonly<Record<string, Chain>> {
  const chains = hostGates.map((gate) => {
    const name = directionOf(gate) === 'ingress' ? 'iifname' : 'oifname';
    const target = wildcard[gate];
    const rest =
      target === undefined
        ? []
        : [`${name} "lo" return`, `${name} ${WORKLOADS} return`, `goto ${target}`];
    return [dispatcher(gate), { rules: [`${name} vmap @${hostMap(gate)}`, ...rest] }] as const;
  });
  return Object.fromEntries(chains);
}

/** Tunnels between the hosts work whatever host endpoints say. */
function tunnelled({ ipip, vxlanPort }: EncapsulationInUse, address: 'saddr' | 'daddr'): string[] {
  return families.flatMap((family) => {
    const peer = `${family === 4 ? 'ip' : 'ip6'} ${address} @${nodeSet(family)}`;
    return [
      ...(ipip && family === 4
        ? [`meta l4proto 4 ${peer} counter accept comment "IP in IP between hosts"`]
        : []),
      ...(vxlanPort === undefined
        ? []
        : [`${peer} udp dport ${vxlanPort} counter accept comment "VXLAN between hosts"`]),
    ];
  });
}
