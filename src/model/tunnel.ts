import { createHash } from 'node:crypto';
import type { Family } from './address.js';
import type { Encapsulation, IpPool } from './ip-pool.js';

/** The kinds of tunnel between hosts; each has its own device and its own address on each host. */
export type TunnelKind = 'vxlan4' | 'vxlan6' | 'ipip';
export const tunnelKinds: readonly TunnelKind[] = ['vxlan4', 'vxlan6', 'ipip'];

export interface TunnelTraits {
  /** Family of what is carried; of VXLAN also that of the outer packet. */
  readonly family: Family;
  /** Calico's device name. */
  readonly device: string;
  /** Bytes that the outer header takes. */
  readonly overhead: number;
  /** IPAM handle of a node's address is this and the node's name (datamodel §1.9). */
  readonly handlePrefix: string;
  /** Attribute `type` of that address. */
  readonly attribute: string;
  /** The Node's member that holds it. */
  readonly member: 'ipv4VxlanTunnelAddress' | 'ipv6VxlanTunnelAddress' | 'ipv4IpipTunnelAddress';
}

export const tunnels: Readonly<Record<TunnelKind, TunnelTraits>> = {
  vxlan4: {
    family: 4,
    device: 'vxlan.calico',
    overhead: 50,
    handlePrefix: 'vxlan-tunnel-addr-',
    attribute: 'vxlanTunnelAddress',
    member: 'ipv4VxlanTunnelAddress',
  },
  vxlan6: {
    family: 6,
    device: 'vxlan-v6.calico',
    overhead: 70,
    handlePrefix: 'vxlan-v6-tunnel-addr-',
    attribute: 'vxlanV6TunnelAddress',
    member: 'ipv6VxlanTunnelAddress',
  },
  ipip: {
    family: 4,
    device: 'tunl0',
    overhead: 20,
    handlePrefix: 'ipip-tunnel-addr-',
    attribute: 'ipipTunnelAddress',
    member: 'ipv4IpipTunnelAddress',
  },
};

/** How traffic to a pool's blocks on other hosts goes. IPIP carries IPv4 only: an IPv6 pool with it is a plain one. */
export function encapsulationOf(
  pool: Pick<IpPool, 'cidr' | 'vxlanMode' | 'ipipMode'>,
): { readonly kind: TunnelKind; readonly mode: Encapsulation } | undefined {
  const { family } = pool.cidr;
  if (pool.vxlanMode !== 'Never') {
    return { kind: family === 4 ? 'vxlan4' : 'vxlan6', mode: pool.vxlanMode };
  }
  if (pool.ipipMode !== 'Never' && family === 4) return { kind: 'ipip', mode: pool.ipipMode };
  return undefined;
}

/** Tunnels that any pool asks for, closed pools included: their blocks live on (node-agent §3.1). */
export function tunnelsInUse(pools: Iterable<IpPool>): ReadonlySet<TunnelKind> {
  const found = new Set<TunnelKind>();
  for (const pool of pools) {
    const { kind } = encapsulationOf(pool) ?? {};
    if (kind !== undefined) found.add(kind);
  }
  return found;
}

/**
 * The MAC of a node's VXLAN device as Calico derives it: 66, then the first five bytes of the SHA-1 of
 * the node's name, for IPv6 with `-v6` behind it (node-agent §3.4).
 */
export function vxlanMac(node: string, family: Family): string {
  const digest = createHash('sha1')
    .update(family === 4 ? node : `${node}-v6`)
    .digest('hex');
  return `66${digest.slice(0, 10).replaceAll(/../g, ':$&')}`;
}
