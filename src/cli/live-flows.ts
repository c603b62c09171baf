import type { FlowsAnswer, WireFlow } from '../admin/index.js';
import { isFault, messageOf } from '../base/index.js';
import { Address } from '../model/index.js';
import {
  denialOfConnection,
  describeReason,
  type Denial,
  type HostSide,
  type LocalSide,
  type Packet,
  type Sides,
} from '../model/verdict/index.js';
import { workloadLabel } from './flow-words.js';
import type { Io } from './io.js';
import type { KnownWorld, KnownWorkload } from './policy-world.js';

/** A connection of this host that a change would end. */
export interface EndedFlow {
  readonly flow: WireFlow;
  readonly denial: Denial;
}

/** What of one host's connections the agent there would end when the world becomes `after`. */
export function endedFlows(
  answer: Pick<FlowsAnswer, 'node' | 'hostAddresses' | 'interfaces' | 'flows'>,
  before: KnownWorld,
  after: KnownWorld,
): EndedFlow[] {
  const [earlier, later] = [before, after].map((world) => judgeOf(world, answer));
  return answer.flows.flatMap((flow) => {
    const packet = packetOf(flow);
    const denial = packet && later?.(packet);
    // What is forbidden already is ended without this change.
    if (packet === undefined || denial === undefined || earlier?.(packet)) return [];
    return [{ flow, denial }];
  });
}

const LOOPBACK = 'lo';

type Judge = (packet: Packet) => Denial | undefined;

function judgeOf(
  world: KnownWorld,
  { node, hostAddresses, interfaces = [] }: Parameters<typeof endedFlows>[0],
): Judge {
  const locals = new Map<string, LocalSide>();
  for (const workload of world.workloads) {
    if (workload.node !== node) continue;
    for (const address of workload.addresses) locals.set(String(address), { world, workload });
  }
  const hosts = world.settings.hostReach === 'all' ? world.nodes : [];
  const reach = {
    hostAddresses: new Set(hostAddresses),
    trusted: new Set(hosts.flatMap(({ addresses }) => addresses.map(String))),
  };
  const hostSides = new Map<string, HostSide>();
  for (const { name, addresses } of interfaces) {
    if (name === LOOPBACK) continue;
    const host = { name, addresses: addresses.flatMap((text) => Address.tryParse(text) ?? []) };
    for (const text of addresses) hostSides.set(text, { world, node, host });
  }
  const hasHosts = world.hostEndpoints.some((each) => each.node === node);
  const sides: Sides = {
    localAt: (address) => locals.get(String(address)),
    ...(hasHosts ? { hostAt: (address) => hostSides.get(String(address)) } : {}),
  };
  return (packet) => denialOfConnection(packet, sides, reach);
}

function packetOf({ source, destination, ...rest }: WireFlow): Packet | undefined {
  const [from, to] = [Address.tryParse(source), Address.tryParse(destination)];
  if (from === undefined || to === undefined) return undefined;
  return { ...rest, source: from, destination: to };
}

const MOST_LINES = 50;

/**
 * What a user is told of a change that is only tried: which connections of this host would end. Those
 * of other hosts stand in their kernels.
 */
export async function describeEndedFlows(
  io: Io,
  before: KnownWorld,
  after: KnownWorld,
): Promise<string> {
  let answer: FlowsAnswer;
  try {
    answer = await io.readFlows();
  } catch (error) {
    if (!isFault(error)) throw error;
    return `live connections are not known, the daemon of this host does not tell: ${messageOf(error)}\n`;
  }
  const { node, dataplane, isPartial } = answer;
  if (dataplane === 'external') {
    return `no live connection of ${node} would be ended: its Felix leaves established ones alone\n`;
  }
  const ended = endedFlows(answer, before, after);
  const names = new Map<string, string>();
  for (const workload of after.workloads) {
    for (const address of workload.addresses) names.set(String(address), nameOf(workload));
  }
  const lines = ended.map(({ flow, denial }) => {
    const [from, to] = [flow.source, flow.destination].map((text) => names.get(text) ?? text);
    const why = `${denial.direction.toLowerCase()}, ${describeReason(denial.reason)}`;
    return `  ${flowText(flow)}  ${from} -> ${to}: ${why}\n`;
  });
  const count = ended.length === 0 ? 'no' : String(ended.length);
  const some = isPartial ? ' (of the first 200000 looked at)' : '';
  const head = `${count} live connection${ended.length === 1 ? '' : 's'} of ${node} would be ended${some}; those of other hosts are seen there\n`;
  const rest = lines.length > MOST_LINES ? `  and ${lines.length - MOST_LINES} more\n` : '';
  return `${head}${lines.slice(0, MOST_LINES).join('')}${rest}`;
}

const nameOf = (workload: KnownWorkload): string =>
  workload.containerName || workloadLabel(workload);

const PROTOCOLS: Readonly<Record<number, string>> = {
  ...{ 1: 'icmp', 6: 'tcp', 17: 'udp', 58: 'icmpv6', 132: 'sctp' },
};

/** `tcp 10.0.0.1:40000 > 10.0.0.2:80`; IPv6 addresses in brackets. */
function flowText(flow: WireFlow): string {
  const end = (address: string, port: number | undefined): string => {
    if (port === undefined) return address;
    return `${address.includes(':') ? `[${address}]` : address}:${port}`;
  };
  const { source, destination, protocol, sourcePort, destinationPort } = flow;
  const name = PROTOCOLS[protocol] ?? `protocol ${protocol}`;
  return `${name} ${end(source, sourcePort)} > ${end(destination, destinationPort)}`;
}
