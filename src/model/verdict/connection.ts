import type { PolicyDirection } from '../index.js';
import { judgeEndpoint, type Judgement } from './endpoint-verdict.js';
import type { Packet, Workload, World } from './world.js';

/** An endpoint of the host in question, and the world in which it is judged. */
export interface LocalSide {
  readonly world: World;
  readonly workload: Workload;
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
 * What forbids a connection on this host, by the policies of its containers; undefined when nothing
 * does. The agent ends such connections, and a dry run lists them: both ask here.
 */
export function denialOfConnection(
  packet: Packet,
  localAt: (address: Packet['source']) => LocalSide | undefined,
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
