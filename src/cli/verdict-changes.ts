import {
  describeReason,
  traceFlow,
  type FlowVerdict,
  type TracedFlow,
} from '../model/verdict/index.js';
import { flowsOf, parsePort, type FlowPort, type NamedEnd } from './flow-words.js';
import type { KnownWorld } from './policy-world.js';
import { affectedPairs } from './affected-pairs.js';
import { probeGroups, probePorts, type ProbeGroup } from './probe-ends.js';

/** A flow whose verdict differs between two worlds. */
export interface VerdictChange {
  readonly from: string;
  readonly to: string;
  readonly port: string;
  readonly family: 4 | 6;
  readonly before: FlowVerdict['verdict'];
  readonly after: FlowVerdict['verdict'];
  /** What decides afterwards, in words. */
  readonly because: string;
  /** Other pairs, alike in all that policies look at, for which it changes as well. */
  readonly alike: number;
}

export interface VerdictChanges {
  readonly changes: readonly VerdictChange[];
  /** Kinds of ends that were tried with each other. */
  readonly kinds: number;
  readonly ports: readonly string[];
  /** There were too many pairs to try all. */
  readonly isPartial: boolean;
}

const MOST_TRACES = 40_000;

/**
 * Which flows between known ends get another verdict. Ends that are alike in everything that policies
 * look at are tried once; ports are those that rules name, and of each protocol one that none names.
 */
export function compareVerdicts(before: KnownWorld, after: KnownWorld): VerdictChanges {
  const groups = probeGroups(before, after);
  const ports = probePorts([before, after]);
  const canChange = affectedPairs(before, after, groups);
  const pairs = groups
    .flatMap((from) => groups.map((to) => [from, to] as const))
    .filter(([from, to]) => isPair(from, to) && canChange(from, to));
  const affordable = Math.max(1, Math.floor(MOST_TRACES / ports.length));
  const changes = pairs
    .slice(0, affordable)
    .flatMap(([from, to]) =>
      ports.flatMap((port) => changesOf(before, after, { from, to, port: parsePort(port) })),
    );
  return { changes, kinds: groups.length, ports, isPartial: pairs.length > affordable };
}

/** One end has to be of the cluster, both of one family, and nobody talks with himself. */
function isPair(from: ProbeGroup, to: ProbeGroup): boolean {
  const [source, destination] = [from.ends[0], from === to ? to.ends[1] : to.ends[0]];
  if (source === undefined || destination === undefined) return false;
  if (source.end.type === 'outside' && destination.end.type === 'outside') return false;
  const families = new Set(source.addresses.map(({ family }) => family));
  return destination.addresses.some(({ family }) => families.has(family));
}

interface Probe {
  readonly from: ProbeGroup;
  readonly to: ProbeGroup;
  readonly port: FlowPort;
}

function changesOf(
  before: KnownWorld,
  after: KnownWorld,
  { from, to, port }: Probe,
): VerdictChange[] {
  const [source, destination] = [from.ends[0], from === to ? to.ends[1] : to.ends[0]];
  if (source === undefined || destination === undefined) return [];
  const count = from.ends.length * (to.ends.length - (from === to ? 1 : 0));
  return flowsOf(source, destination, port).flatMap((flow) => {
    const earlier = traceFlow(before, inWorld(before, flow));
    const later = traceFlow(after, flow);
    if (earlier.verdict === later.verdict) return [];
    return [
      {
        from: shortLabel(source),
        to: shortLabel(destination),
        port: port.text,
        family: flow.packet.source.family,
        before: earlier.verdict,
        after: later.verdict,
        because: reasonOf(later),
        alike: count - 1,
      },
    ];
  });
}

/** The same flow with its endpoints as they were. */
function inWorld(world: KnownWorld, flow: TracedFlow): TracedFlow {
  const earlier = (end: TracedFlow['from']): TracedFlow['from'] => {
    if (end.type !== 'workload') return end;
    const { namespace, name } = end.workload;
    const found = world.workloads.find(
      (each) => each.namespace === namespace && each.name === name,
    );
    return found === undefined ? end : { type: 'workload', workload: found };
  };
  return { ...flow, from: earlier(flow.from), to: earlier(flow.to) };
}

function shortLabel({ label }: NamedEnd): string {
  return label.replace(/^endpoint /, '').replace(/ \(.*\)$/, '');
}

/** The denial, or the last that let the flow pass. */
function reasonOf({ decisions }: FlowVerdict): string {
  const decision = decisions.find(({ verdict }) => verdict === 'deny') ?? decisions.at(-1);
  return decision === undefined ? 'nobody decides' : describeReason(decision.reason);
}

const MOST_LINES = 50;

/** What a user is told; a flow whose verdict changes in both families takes one line. */
export function renderChanges({ changes, kinds, ports, isPartial }: VerdictChanges): string {
  const lines = new Map<string, string>();
  for (const { from, to, port, before, after, because, alike } of changes) {
    const more = alike === 0 ? '' : ` and ${alike} more pairs alike`;
    const line = `  ${before} -> ${after}  ${from} -> ${to} ${port}${more}: ${because}\n`;
    lines.set(`${from} ${to} ${port} ${after}`, line);
  }
  const all = [...lines.values()];
  const rest = all.length > MOST_LINES ? `  and ${all.length - MOST_LINES} more\n` : '';
  const tried = `${kinds} kinds of endpoints, hosts and outside addresses; ports ${ports.join(', ')}${isPartial ? '; too many to try all of them' : ''}`;
  const head = all.length === 0 ? 'no verdict would change' : `${all.length} verdicts would change`;
  return `${head} (tried: ${tried})\n${all.slice(0, MOST_LINES).join('')}${rest}`;
}
