import {
  Address,
  Cidr,
  encapsulationOf,
  type Family,
  type IpPool,
  type Node,
  type TunnelKind,
} from '../../model/index.js';

/** Why a block or address of another host has no route of ours; a closed list. */
export type RouteReason =
  /** The datastore has no Node of the block's host. */
  | 'node-missing'
  /** The Node of the block's host, or our own, has no address of the family. */
  | 'node-without-address'
  /** It contains a host's own address: a route would cut that host off. */
  | 'covers-host'
  /** The host has no tunnel address yet. */
  | 'no-tunnel-address'
  /** A plain pool, and the host is not on our segment: BGP is needed, or an encapsulation. */
  | 'other-subnet';

/** Where packets to a block or an address have to go. */
export type RouteTarget =
  /** To the host's own address, on the same segment. */
  | { readonly kind: 'direct'; readonly gateway: Address }
  /** Into a tunnel; the gateway is what the device finds the other host by. */
  | { readonly kind: TunnelKind; readonly gateway: Address }
  /** Own block: what is no container's goes nowhere. */
  | { readonly kind: 'blackhole' }
  /** None of ours: BIRD's, or not possible. */
  | { readonly kind: 'none'; readonly reason?: RouteReason };

/** A Node as routes see it: addresses parsed, impossible ones absent. */
export interface RoutedNode {
  readonly name: string;
  /** Address and the network that CrossSubnet compares with. */
  readonly hosts: Readonly<
    Partial<Record<Family, { readonly address: Address; readonly cidr: Cidr }>>
  >;
  readonly tunnels: Readonly<Partial<Record<TunnelKind, Address>>>;
}

export function routedNode(node: Node): RoutedNode {
  const hosts: { [family in Family]?: { address: Address; cidr: Cidr } } = {};
  const add = (text: string | undefined, family: Family): void => {
    const address = text === undefined ? undefined : Address.tryParse(text);
    const found =
      text === undefined ? undefined : (Cidr.tryParseInterface(text) ?? hostOnly(address));
    if (found?.address.family === family) hosts[family] = found;
  };
  add(node.ipv4Address, 4);
  add(node.ipv6Address, 6);
  const tunnels: { [kind in TunnelKind]?: Address } = {};
  const addTunnel = (kind: TunnelKind, text: string | undefined, family: Family): void => {
    const address = text === undefined ? undefined : Address.tryParse(text);
    if (address?.family === family) tunnels[kind] = address;
  };
  addTunnel('vxlan4', node.ipv4VxlanTunnelAddress, 4);
  addTunnel('vxlan6', node.ipv6VxlanTunnelAddress, 6);
  addTunnel('ipip', node.ipv4IpipTunnelAddress, 4);
  return { name: node.name, hosts, tunnels };
}

/** A Node's address without a length: it shares a segment with nobody. */
function hostOnly(address: Address | undefined): { address: Address; cidr: Cidr } | undefined {
  return address === undefined ? undefined : { address, cidr: Cidr.host(address) };
}

export interface TargetInput {
  readonly destination: Cidr;
  readonly pool: IpPool | undefined;
  readonly own: RoutedNode | undefined;
  /** Whose it is; undefined when the datastore has no such Node. */
  readonly holder: RoutedNode | undefined;
  /** This host is the holder. */
  readonly isOwn: boolean;
  /** Routes of plain pools are the agent's too, not BIRD's. */
  readonly plainRoutes: boolean;
  /** The destination contains the address of a host. */
  readonly coversHost: boolean;
}

const NONE = { kind: 'none' } as const;
const no = (reason: RouteReason): RouteTarget => ({ kind: 'none', reason });

/**
 * The route of a block, or of an address outside the blocks of the host that has it (node-agent §1.8, §2.7, §3.1).
 * Blocks outside every pool have none. A block of one address gets no blackhole: it would hide the container.
 */
export function targetOf(input: TargetInput): RouteTarget {
  const { destination, pool, own, holder, isOwn, plainRoutes } = input;
  if (pool === undefined) return NONE;
  if (input.coversHost) return no('covers-host');
  const encapsulation = encapsulationOf(pool);
  if (encapsulation === undefined && !plainRoutes) return NONE;
  if (isOwn) return destination.isHost ? NONE : { kind: 'blackhole' };
  if (holder === undefined) return no('node-missing');
  const { family } = destination;
  const remote = holder.hosts[family]?.address;
  if (remote === undefined || own?.hosts[family] === undefined) return no('node-without-address');
  const sameSubnet = own.hosts[family].cidr.contains(remote);
  const { kind, mode } = encapsulation ?? { kind: undefined, mode: 'CrossSubnet' };
  if (mode === 'CrossSubnet' && sameSubnet) return { kind: 'direct', gateway: remote };
  if (kind === undefined) return no('other-subnet');
  const tunnel = holder.tunnels[kind];
  if (kind === 'ipip') return { kind, gateway: remote };
  return tunnel === undefined ? no('no-tunnel-address') : { kind, gateway: tunnel };
}

export function sameTarget(left: RouteTarget | undefined, right: RouteTarget): boolean {
  if (left?.kind !== right.kind) return false;
  if ('gateway' in left && 'gateway' in right) return left.gateway.equals(right.gateway);
  return left.kind !== 'none' || right.kind !== 'none' || left.reason === right.reason;
}
