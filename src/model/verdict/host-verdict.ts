import type { Address, PolicyDirection } from '../index.js';
import type { Subject } from './applied.js';
import type { Decision, FlowVerdict, Place, Reason, Stage, Verdict } from './decision.js';
import { judgeEndpoint } from './endpoint-verdict.js';
import {
  failsafePort,
  hostEndpointOf,
  isFailsafeReply,
  type HostInterface,
} from './host-endpoints.js';
import { forgery, isNeighbourDiscovery, tunnelDecision } from './host-rules.js';
import type { Packet, Workload, World } from './world.js';

/** Where a packet comes from or goes to, as one host sees it. */
export type Gate =
  | { readonly type: 'workload'; readonly workload: Workload }
  /** A process of the host itself. */
  | { readonly type: 'process' }
  /** Somewhere beyond an interface that is no container's. */
  | { readonly type: 'interface'; readonly host: HostInterface };

export interface HostFlow {
  readonly node: string;
  readonly packet: Packet;
  readonly from: Gate;
  readonly to: Gate;
  /** Address and port that the packet came with when a published port translates it. */
  readonly published?: { readonly address: Address; readonly port: number };
}

/** What becomes of the first packet of a flow on one host, step by step (node-agent §5.1 and §5.6). */
export function judgeAtHost(
  world: World,
  flow: HostFlow,
  { toTheEnd = false }: JudgeOptions = {},
): FlowVerdict {
  const decisions: Decision[] = [];
  for (const decision of steps(world, flow)) {
    decisions.push(decision);
    if (decision.verdict === 'deny' && !toTheEnd) break;
  }
  return { verdict: verdictOf(decisions), decisions };
}

export interface JudgeOptions {
  /** Also what those would say whom the packet does not reach, because it was denied before. */
  readonly toTheEnd?: boolean;
}

/** One denial on the way is enough. */
export function verdictOf(decisions: readonly Decision[]): Verdict {
  return decisions.some(({ verdict }) => verdict === 'deny') ? 'deny' : 'allow';
}

function* steps(world: World, flow: HostFlow): Generator<Decision> {
  const { from, to, node, packet } = flow;
  let isAccepted = false;
  if (from.type === 'workload') {
    yield* fromWorkload(world, flow, from.workload);
  } else if (from.type === 'interface') {
    for (const decision of beforeRouting(world, flow, from.host)) {
      yield decision;
      isAccepted = true; // What raw or preDNAT policies allow skips the others of this interface.
    }
    if (!isAccepted && to.type === 'process') yield* normal(world, flow, from.host, 'Ingress');
    if (!isAccepted && to.type !== 'process') yield* forward(world, flow, from.host, 'Ingress');
  }
  if (to.type === 'workload') yield* toWorkload(world, flow, to.workload);
  if (to.type === 'interface' && from.type !== 'process') {
    yield* forward(world, flow, to.host, 'Egress');
  }
  if (to.type === 'interface' && from.type === 'process') {
    yield* fromProcess(world, { node, packet, from, to }, to.host);
  }
}

function placeOf(node: string, subject: Subject, direction: PolicyDirection, stage: Stage): Place {
  const name =
    subject.kind === 'workload'
      ? `${subject.workload.namespace}/${subject.workload.name}`
      : subject.hostEndpoint.name;
  return { node, kind: subject.kind, name, direction, stage };
}

function builtIn(place: Place, verdict: Verdict, what: string): Decision {
  return { place, verdict, reason: { type: 'built-in', what }, logged: [] };
}

function* fromWorkload(world: World, flow: HostFlow, workload: Workload): Generator<Decision> {
  const { node, packet, to } = flow;
  const subject: Subject = { kind: 'workload', workload };
  const place = placeOf(node, subject, 'Egress', 'normal');
  const forged = forgery(packet, workload, world.settings.vxlanPort);
  if (forged !== undefined) return yield builtIn(place, 'deny', forged);
  const toHost = to.type === 'process';
  if (toHost && isNeighbourDiscovery(packet)) {
    return yield builtIn(place, 'allow', 'neighbour discovery');
  }
  const judgement = judgeEndpoint(world, subject, packet, place);
  if (judgement !== undefined) yield { place, ...judgement };
  if (!toHost || judgement?.verdict !== 'allow') return;
  const action = world.settings.endpointToHost;
  const host: Place = { node, kind: 'host', name: node, direction: 'Ingress', stage: 'normal' };
  yield builtIn(
    host,
    action === 'Drop' ? 'deny' : 'allow',
    action === 'Return'
      ? "the host's own firewall decides (defaultEndpointToHostAction Return)"
      : `defaultEndpointToHostAction ${action}`,
  );
}

function* toWorkload(world: World, flow: HostFlow, workload: Workload): Generator<Decision> {
  const { node, packet, from } = flow;
  const subject: Subject = { kind: 'workload', workload };
  const place = placeOf(node, subject, 'Ingress', 'normal');
  if (from.type === 'process') {
    return yield builtIn(place, 'allow', 'a host always reaches its own containers');
  }
  const isNode = world.nodes.some(({ addresses }) =>
    addresses.some((address) => address.equals(packet.source)),
  );
  if (world.settings.hostReach === 'all' && isNode) {
    return yield builtIn(place, 'allow', 'all hosts reach the containers (hostReach all)');
  }
  const judgement = judgeEndpoint(world, subject, packet, place);
  if (judgement !== undefined) yield { place, ...judgement };
}

interface OnHost {
  readonly subject: Subject;
  readonly isWildcard: boolean;
}

function onHost(world: World, node: string, host: HostInterface): OnHost | undefined {
  const hostEndpoint = hostEndpointOf(world, node, host);
  if (hostEndpoint === undefined) return undefined;
  const isWildcard = hostEndpoint.interfaceName === '*';
  return { subject: { kind: 'hostEndpoint', hostEndpoint }, isWildcard };
}

/** Yields a denial, or the decision that lets the packet skip the host's later policies. */
function* beforeRouting(world: World, flow: HostFlow, host: HostInterface): Generator<Decision> {
  const { node, packet, published } = flow;
  const found = onHost(world, node, host);
  if (found === undefined || isNeighbourDiscovery(packet)) return;
  const { failsafeInbound, failsafeOutbound } = world.settings;
  const original =
    published === undefined
      ? packet
      : { ...packet, destination: published.address, destinationPort: published.port };
  if (failsafePort(failsafeInbound, original, packet.source) !== undefined) return;
  const stages: readonly Stage[] = [
    ...(found.isWildcard || isFailsafeReply(failsafeOutbound, original, packet.source)
      ? []
      : (['untracked'] as const)),
    'preDNAT',
  ];
  for (const stage of stages) {
    const place = placeOf(node, found.subject, 'Ingress', stage);
    const judgement = judgeEndpoint(world, found.subject, original, place);
    if (judgement !== undefined) return yield { place, ...judgement };
  }
}

function* forward(
  world: World,
  { node, packet }: HostFlow,
  host: HostInterface,
  direction: PolicyDirection,
): Generator<Decision> {
  const found = onHost(world, node, host);
  if (found === undefined) return;
  const place = placeOf(node, found.subject, direction, 'forward');
  const judgement = judgeEndpoint(world, found.subject, packet, place);
  if (judgement !== undefined) yield { place, ...judgement };
}

function* normal(
  world: World,
  { node, packet }: HostFlow,
  host: HostInterface,
  direction: PolicyDirection,
): Generator<Decision> {
  const found = onHost(world, node, host);
  const subjectPlace: Place =
    found === undefined
      ? { node, kind: 'host', name: node, direction, stage: 'normal' }
      : placeOf(node, found.subject, direction, 'normal');
  const tunnel = tunnelDecision(world, packet, direction);
  if (tunnel !== undefined) {
    return yield { place: subjectPlace, ...tunnel, logged: [] };
  }
  if (found === undefined) return;
  if (isNeighbourDiscovery(packet)) {
    return yield builtIn(subjectPlace, 'allow', 'neighbour discovery');
  }
  const inbound = direction === 'Ingress';
  const peer = inbound ? packet.source : packet.destination;
  const ports = inbound ? world.settings.failsafeInbound : world.settings.failsafeOutbound;
  const port = failsafePort(ports, packet, peer);
  if (port !== undefined) {
    const reason: Reason = { type: 'failsafe', port };
    return yield { place: subjectPlace, verdict: 'allow', reason, logged: [] };
  }
  const judgement = judgeEndpoint(world, found.subject, packet, subjectPlace);
  if (judgement !== undefined) yield { place: subjectPlace, ...judgement };
}

function* fromProcess(world: World, flow: HostFlow, host: HostInterface): Generator<Decision> {
  const { node, packet } = flow;
  const found = onHost(world, node, host);
  const { failsafeInbound, failsafeOutbound } = world.settings;
  const isFailsafe =
    isNeighbourDiscovery(packet) ||
    failsafePort(failsafeOutbound, packet, packet.destination) !== undefined ||
    isFailsafeReply(failsafeInbound, packet, packet.destination);
  if (found !== undefined && !found.isWildcard && !isFailsafe) {
    const place = placeOf(node, found.subject, 'Egress', 'untracked');
    const judgement = judgeEndpoint(world, found.subject, packet, place);
    if (judgement !== undefined) return yield { place, ...judgement };
  }
  yield* normal(world, flow, host, 'Egress');
}
