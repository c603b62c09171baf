import type { PolicyDirection } from '../index.js';
import type { HostInterface } from './host-endpoints.js';
import { judgeAtHost, type Gate } from './host-verdict.js';
import { judgeEndpoint, type Judgement } from './endpoint-verdict.js';
import { settingsAt, type Packet, type Workload, type World } from './world.js';

/** An endpoint of the host in question, and the world in which it is judged. */
export interface LocalSide {
  readonly world: World;
  readonly workload: Workload;
}

/** The interface of the host in question that has an address, and the world in which its host endpoint is judged. */
export interface HostSide {
  readonly world: World;
  readonly node: string;
  readonly host: HostInterface;
}

/** Who of the host in question has an address; undefined when nobody has whom policies could concern. */
export interface Sides {
  readonly localAt: (address: Packet['source']) => LocalSide | undefined;
  readonly hostAt?: (address: Packet['source']) => HostSide | undefined;
}

/** Whom policies of the host's containers do not concern. */
export interface ReachOfHosts {
  /** Addresses of this host, as text: it always reaches its own containers. */
  readonly hostAddresses: ReadonlySet<string>;
  /** Addresses of all hosts when they reach all containers, as text. */
  readonly trusted: ReadonlySet<string>;
}

export type Denial = Judgement & { readonly direction: PolicyDirection };

/**
 * What forbids a connection on this host, by the policies of its containers, and by those of its host endpoints when
 * it is one of the host's own processes; undefined when nothing does. The agent ends such connections, and a dry run
 * lists them: both ask here. What is forwarded by a host endpoint's interface is not asked about again: which one that
 * is the kernel does not tell of a connection.
 */
export function denialOfConnection(
  packet: Packet,
  sides: Sides,
  reach: ReachOfHosts,
): Denial | undefined {
  return denialOfContainers(packet, sides, reach) ?? denialOfHost(packet, sides, reach);
}

function denialOfContainers(
  packet: Packet,
  { localAt }: Sides,
  { hostAddresses, trusted }: ReachOfHosts,
): Denial | undefined {
  const judged = (end: 'source' | 'destination', direction: PolicyDirection) => {
    const side = localAt(packet[end]);
    if (side === undefined) return undefined;
    const { world, workload } = side;
    const at = { direction, stage: 'normal' } as const;
    const found = judgeEndpoint(world, { kind: 'workload', workload }, packet, at);
    return found?.verdict === 'deny' ? { ...found, direction } : undefined;
  };
  const egress = judged('source', 'Egress');
  if (egress !== undefined) return egress;
  const source = String(packet.source);
  if (hostAddresses.has(source) || trusted.has(source)) return undefined;
  return judged('destination', 'Ingress');
}

function denialOfHost(
  packet: Packet,
  { localAt, hostAt }: Sides,
  { hostAddresses }: ReachOfHosts,
): Denial | undefined {
  const { source, destination } = packet;
  const isInbound = hostAddresses.has(String(destination));
  // Its processes among themselves, and others among themselves.
  if (isInbound === hostAddresses.has(String(source))) return undefined;
  const [own, peer] = isInbound ? [destination, source] : [source, destination];
  if (localAt(peer) !== undefined) return undefined;
  const side = hostAt?.(own);
  if (side === undefined || isTunnel(packet, side)) return undefined;
  const process: Gate = { type: 'process' };
  const beyond: Gate = { type: 'interface', host: side.host };
  const [from, to] = isInbound ? [beyond, process] : [process, beyond];
  const { decisions } = judgeAtHost(side.world, { node: side.node, packet, from, to });
  const denial = decisions.find(({ verdict }) => verdict === 'deny');
  if (denial === undefined) return undefined;
  const { verdict, reason, logged, place } = denial;
  return { verdict, reason, logged, direction: place.direction };
}

const [IPIP, UDP] = [4, 17];

/** Between hosts; who may speak it is no policy's to say. */
function isTunnel({ protocol, destinationPort }: Packet, { world, node }: HostSide): boolean {
  const { ipip, vxlanPort } = settingsAt(world, node);
  return (ipip && protocol === IPIP) || (protocol === UDP && destinationPort === vxlanPort);
}
