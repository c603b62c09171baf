import {
  encapsulationOf,
  parseSelector,
  tunnels,
  type Address,
  type BlockAttribute,
  type IpPool,
  type Node,
  type TunnelKind,
} from '../model/index.js';

/** Handle and attributes by which Calico knows a node's tunnel address (datamodel §1.9). */
export interface TunnelOwner {
  readonly handle: string;
  readonly secondary: Readonly<Record<string, string>>;
}

export function tunnelOwner(kind: TunnelKind, node: string): TunnelOwner {
  const { handlePrefix, attribute } = tunnels[kind];
  return { handle: `${handlePrefix}${node}`, secondary: { node, type: attribute } };
}

/** Whether a tunnel's address may come from the pool. */
export function admitsTunnel(kind: TunnelKind, pool: IpPool, node: Node): boolean {
  return (
    node.drain !== 'empty' &&
    !pool.closed &&
    encapsulationOf(pool)?.kind === kind &&
    pool.allowedUses.includes('Tunnel') &&
    pool.assignmentMode === 'Automatic' &&
    parseSelector(pool.nodeSelector).evaluate(node.labels)
  );
}

export interface TunnelFacts {
  readonly owner: TunnelOwner;
  /** Pools that may serve. */
  readonly pools: readonly IpPool[];
  /** What the Node has. */
  readonly stored: Address | undefined;
  /** Who holds the Node's address in IPAM; undefined when nobody. */
  readonly holder: BlockAttribute | undefined;
  /** Addresses that the handle holds. */
  readonly held: readonly Address[];
}

/** What to do about one tunnel's address. `release` frees everything that its handle holds, first. */
export type TunnelDecision =
  | { readonly action: 'keep' }
  | { readonly action: 'clear'; readonly release: boolean }
  /** The handle has a usable address already: a Node that was made anew, or a write that was cut off. */
  | { readonly action: 'adopt'; readonly address: Address }
  | { readonly action: 'assign'; readonly release: boolean };

/** The table of node-agent §3.2. An address whose attributes name somebody else is never released. */
export function decideTunnel(facts: TunnelFacts): TunnelDecision {
  const { owner, pools, stored, holder, held } = facts;
  const eligible = (address: Address): boolean => pools.some(({ cidr }) => cidr.contains(address));
  if (pools.length === 0) {
    const idle = stored === undefined && held.length === 0;
    return idle ? { action: 'keep' } : { action: 'clear', release: held.length > 0 };
  }
  if (stored !== undefined && eligible(stored) && holder !== undefined && isOwn(holder, owner)) {
    return { action: 'keep' };
  }
  const usable = held.find(eligible);
  if (usable !== undefined && held.length === 1) return { action: 'adopt', address: usable };
  return { action: 'assign', release: held.length > 0 };
}

function isOwn(holder: BlockAttribute, { handle, secondary }: TunnelOwner): boolean {
  if (holder.handle === handle) return true;
  return (
    holder.handle === undefined &&
    holder.secondary['node'] === secondary['node'] &&
    holder.secondary['type'] === secondary['type']
  );
}
