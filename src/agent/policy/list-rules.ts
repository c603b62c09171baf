import { families } from '../../model/index.js';
import type { TierList } from './applied-policies.js';
import { FAILSAFE } from './failsafe.js';
import { directionOf, type HostGate } from './host-base.js';
import {
  ACCEPT_MARK,
  CLEAR_MARKS,
  commentText,
  ENCAPSULATED,
  nodeSet,
  PASS_MARK,
  type Direction,
} from './rule-names.js';

const hex = (mark: number): string => `0x${mark.toString(16)}`;
const ACCEPT = `meta mark set meta mark | ${hex(ACCEPT_MARK)} return`;
const IF_ACCEPTED = `meta mark & ${hex(ACCEPT_MARK)} != 0 return`;

export interface ListContent {
  readonly direction: Direction;
  /** Chains of the tiers' policies, in order. */
  readonly tiers: readonly string[];
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
    NOT_A_BEGIN,
    ...(direction === 'ingress' ? reachRules(hostReach) : [`jump ${ENCAPSULATED}`]),
    ...tiers.flatMap((chain) => [`jump ${chain}`, IF_ACCEPTED]),
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

/**
 * The kernel takes any packet of TCP for the begin of a connection that it does not know, in the
 * direction in which it goes: one that was ended because policy forbids it would be begun again by
 * its other end.
 */
const NOT_A_BEGIN =
  'ct state new tcp flags & (fin | syn | rst | ack) != syn counter drop comment "not the begin of a connection"';

function reachRules(hostReach: 'own' | 'all'): string[] {
  if (hostReach === 'own') return [];
  return families.map(
    (family) =>
      `${family === 4 ? 'ip' : 'ip6'} saddr @${nodeSet(family)} counter ${ACCEPT} comment "hosts reach all"`,
  );
}

const TRACKED: readonly string[] = [
  `ct state established,related ${ACCEPT}`,
  'ct state invalid counter drop comment "invalid connection state"',
];

/**
 * The chain of a host endpoint at one place of a packet's way (node-agent §5.6). Raw and preDNAT
 * policies decide only what they match, forwarding is allowed when no tier decides, and the rest is
 * as for containers, but for the failsafe ports, which also connections of before our time may use.
 */
export function hostRules(
  gate: HostGate,
  tiers: readonly string[],
  profiles: readonly string[],
): string[] {
  const clear = `meta mark set meta mark & ${hex(CLEAR_MARKS)}`;
  const ask = [...tiers, ...profiles].flatMap((chain) => [`jump ${chain}`, IF_ACCEPTED]);
  const inbound = directionOf(gate) === 'ingress';
  switch (gate) {
    case 'raw-in':
    case 'raw-out':
      return [clear, `jump ${inbound ? FAILSAFE.rawIn : FAILSAFE.rawOut}`, ...ask];
    case 'before-dnat':
      return [clear, ...TRACKED, `jump ${FAILSAFE.in}`, ...UNMARK, ...ask];
    case 'forward-in':
    case 'forward-out':
      return [clear, ...TRACKED, ...ask, ACCEPT];
    case 'in':
    case 'out':
      return [
        clear,
        ...TRACKED,
        `jump ${inbound ? FAILSAFE.in : FAILSAFE.out}`,
        ...[IF_ACCEPTED, NOT_A_BEGIN, ...ask],
        'counter drop comment "no profile matched"',
      ];
  }
}

/** A failsafe port passes here, and is asked about again where it arrives. */
const UNMARK: readonly string[] = [
  `meta mark & ${hex(ACCEPT_MARK)} != 0 meta mark set meta mark & ${hex(CLEAR_MARKS)} return`,
];
