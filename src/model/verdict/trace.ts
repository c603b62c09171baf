import type { Decision, FlowVerdict } from './decision.js';
import type { HostInterface } from './host-endpoints.js';
import {
  judgeAtHost,
  verdictOf,
  type Gate,
  type HostFlow,
  type JudgeOptions,
} from './host-verdict.js';
import type { Packet, Workload, World } from './world.js';

/** One end of a flow, anywhere in the cluster or beyond it. */
export type FlowEnd =
  | { readonly type: 'workload'; readonly workload: Workload }
  /** A process of a host. */
  | { readonly type: 'host'; readonly node: string }
  | { readonly type: 'outside' };

export interface TracedFlow {
  readonly from: FlowEnd;
  readonly to: FlowEnd;
  readonly packet: Packet;
}

/**
 * What becomes of a flow on its whole way: at the host of its source, then at that of its destination.
 * Addresses count as they stand in the packet: masquerading and published ports are not considered.
 */
export function traceFlow(world: World, flow: TracedFlow, options: JudgeOptions = {}): FlowVerdict {
  const decisions: Decision[] = [];
  for (const hop of hopsOf(world, flow)) {
    const result = judgeAtHost(world, hop, options);
    decisions.push(...result.decisions);
    if (result.verdict === 'deny' && options.toTheEnd !== true) break;
  }
  return { verdict: verdictOf(decisions), decisions };
}

function hopsOf(world: World, { from, to, packet }: TracedFlow): HostFlow[] {
  const [start, end] = [nodeOf(from), nodeOf(to)];
  const beyond = (node: string): Gate => ({ type: 'interface', host: outerInterface(world, node) });
  if (start !== undefined && start === end) {
    const isHostAlone = from.type === 'host' && to.type === 'host';
    return isHostAlone ? [] : [{ node: start, packet, from: gateOf(from), to: gateOf(to) }];
  }
  return [
    ...(start === undefined
      ? []
      : [{ node: start, packet, from: gateOf(from), to: beyond(start) }]),
    ...(end === undefined ? [] : [{ node: end, packet, from: beyond(end), to: gateOf(to) }]),
  ];
}

function nodeOf(end: FlowEnd): string | undefined {
  if (end.type === 'workload') return end.workload.node;
  return end.type === 'host' ? end.node : undefined;
}

function gateOf(end: FlowEnd): Gate {
  return end.type === 'workload'
    ? { type: 'workload', workload: end.workload }
    : { type: 'process' };
}

/**
 * The interface by which a host meets the others. Which that is stands nowhere in the datastore: the
 * node's own addresses are on it, and it is the one that a host endpoint names, if one does.
 */
export function outerInterface(world: World, node: string): HostInterface {
  const addresses = world.nodes.find(({ name }) => name === node)?.addresses ?? [];
  const named = world.hostEndpoints
    .filter((each) => each.node === node && (each.interfaceName ?? '*') !== '*')
    .sort((left, right) => (left.name < right.name ? -1 : 1));
  const expected = named.find(({ expectedIPs }) =>
    expectedIPs.some((text) => addresses.some((address) => address.toString() === text)),
  );
  return { name: (expected ?? named[0])?.interfaceName ?? '', addresses };
}
