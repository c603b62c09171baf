import { Fault } from '../base/index.js';
import { Address, families, type Family } from '../model/index.js';
import {
  protocolNumber,
  type FlowEnd,
  type Packet,
  type TracedFlow,
} from '../model/verdict/index.js';
import type { KnownWorkload, KnownWorld } from './policy-world.js';

/** One end of a flow as a user named it. */
export interface NamedEnd {
  readonly end: FlowEnd;
  /** For messages: `endpoint default/web`, `host node1`, `198.51.100.7`. */
  readonly label: string;
  readonly addresses: readonly Address[];
}

/** Below this many characters an id would be taken for a name too easily. */
const SHORTEST_ID = 6;

/**
 * What a word means: an endpoint by name, container name or id; a node by name; else an address, which
 * belongs to the endpoint or node that has it, or is outside. Throws `invalid` when nothing or several fit.
 */
export function findEnd(world: KnownWorld, word: string): NamedEnd {
  const found = world.workloads.filter((workload) => isCalled(workload, word));
  if (found.length > 1) throw ambiguous(word, found);
  if (found[0] !== undefined) return workloadEnd(found[0]);
  const node = world.nodes.find(({ name }) => name === word);
  if (node !== undefined) return hostEnd(node.name, node.addresses);
  const address = Address.tryParse(word);
  if (address === undefined) throw unknown(world, word);
  const holders = world.workloads.filter(({ addresses }) =>
    addresses.some((each) => each.equals(address)),
  );
  if (holders.length > 1) throw ambiguous(word, holders);
  if (holders[0] !== undefined) return { ...workloadEnd(holders[0]), addresses: [address] };
  const host =
    world.nodes.find(({ addresses }) => addresses.some((each) => each.equals(address)))?.name ??
    world.hostEndpoints.find(({ expectedIPs }) => expectedIPs.includes(word))?.node;
  if (host !== undefined) return hostEnd(host, [address]);
  return { end: { type: 'outside' }, label: String(address), addresses: [address] };
}

function isCalled(workload: KnownWorkload, word: string): boolean {
  const { name, namespace, containerName, endpoint, containerId } = workload;
  if ([name, `${namespace}/${name}`, containerName, endpoint].includes(word)) return true;
  if (word.length < SHORTEST_ID) return false;
  return endpoint.startsWith(word) || containerId.startsWith(word);
}

/** How messages call an endpoint: by its container where that is known. */
export function workloadLabel({ namespace, name, containerName }: KnownWorkload): string {
  return containerName === '' ? `${namespace}/${name}` : `${containerName} (${namespace}/${name})`;
}

export function workloadEnd(workload: KnownWorkload): NamedEnd {
  const label = `endpoint ${workloadLabel(workload)}`;
  return { end: { type: 'workload', workload }, label, addresses: workload.addresses };
}

export function hostEnd(node: string, addresses: readonly Address[]): NamedEnd {
  return { end: { type: 'host', node }, label: `host ${node}`, addresses };
}

function ambiguous(word: string, found: readonly KnownWorkload[]): Fault {
  const names = found.slice(0, 5).map((workload) => workloadLabel(workload));
  const message = `"${word}" fits ${found.length} endpoints: ${names.join(', ')}; give namespace/name or an address`;
  return new Fault('invalid', message, { reason: 'ambiguous' });
}

function unknown({ workloads, nodes }: KnownWorld, word: string): Fault {
  const names = [
    ...workloads.slice(0, 5).map((workload) => workloadLabel(workload)),
    ...nodes.slice(0, 5).map(({ name }) => `host ${name}`),
  ];
  const known = names.length === 0 ? 'the datastore has neither' : `known are ${names.join(', ')}`;
  const message = `"${word}" is no endpoint, container, host or address: ${known}`;
  return new Fault('not-found', message, { reason: 'unknown-end' });
}

/** The protocol part of a packet, given as `tcp/3306`, `icmp`, `icmp/8/0` or a protocol's number. */
export interface FlowPort {
  /** As the user wrote it. */
  readonly text: string;
  /** Undefined for `icmp`, which is another protocol in each family. */
  readonly protocol: number | undefined;
  readonly port?: number;
  readonly icmp?: { readonly type: number; readonly code: number };
}

const WITH_PORTS = [6, 17, 132, 136];

/** Throws `invalid` for anything else than described above. */
export function parsePort(text: string): FlowPort {
  const [name = '', first, second, ...more] = text.toLowerCase().split('/');
  const isIcmp = name === 'icmp' || name === 'icmpv6';
  const protocol = isIcmp ? undefined : protocolNumber(name);
  const numbers = [first, second].map((each) => (each === undefined ? undefined : Number(each)));
  const bad = [first, second].some((each) => each !== undefined && !/^\d{1,5}$/.test(each));
  const [one, two] = numbers;
  if (bad || more.length > 0 || (!isIcmp && protocol === undefined)) throw badPort(text);
  if (isIcmp) {
    if ((one ?? 0) > 255 || (two ?? 0) > 255) throw badPort(text);
    return one === undefined
      ? { text, protocol }
      : { text, protocol, icmp: { type: one, code: two ?? 0 } };
  }
  const needsPort = protocol !== undefined && WITH_PORTS.includes(protocol);
  if (needsPort !== (one !== undefined) || two !== undefined) throw badPort(text);
  if (one === undefined) return { text, protocol };
  if (one < 1 || one > 65_535) throw badPort(text);
  return { text, protocol, port: one };
}

function badPort(text: string): Fault {
  const message = `"${text}" is no protocol with port: write tcp/3306, udp/53, sctp/80, icmp, icmp/8/0 or a protocol number`;
  return new Fault('invalid', message, { reason: 'port' });
}

/** A client's port: any that is not a service's. */
const CLIENT_PORT = 40_000;
const ECHO_REQUEST = { 4: 8, 6: 128 } as const;

/** One flow for each family that both ends have; throws `invalid` when they share none. */
export function flowsOf(from: NamedEnd, to: NamedEnd, port: FlowPort): TracedFlow[] {
  const flows = families.flatMap((family) => {
    const [source, destination] = [from, to].map(({ addresses }) =>
      addresses.find((address) => address.family === family),
    );
    if (source === undefined || destination === undefined) return [];
    const packet = { source, destination, ...packetParts(port, family) };
    return [{ from: from.end, to: to.end, packet }];
  });
  if (flows.length > 0) return flows;
  const list = ({ addresses }: NamedEnd): string => addresses.join(', ') || 'none';
  const message = `${from.label} (${list(from)}) and ${to.label} (${list(to)}) have no address family in common`;
  throw new Fault('invalid', message, { reason: 'family' });
}

function packetParts(
  { protocol, port, icmp }: FlowPort,
  family: Family,
): Omit<Packet, 'source' | 'destination'> {
  if (protocol === undefined) {
    const { type, code } = icmp ?? { type: ECHO_REQUEST[family], code: 0 };
    return { protocol: family === 4 ? 1 : 58, icmpType: type, icmpCode: code };
  }
  return port === undefined
    ? { protocol }
    : { protocol, sourcePort: CLIENT_PORT, destinationPort: port };
}
