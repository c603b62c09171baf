import {
  Cidr,
  poolOf,
  tunnelKinds,
  type Address,
  type IpPool,
  type Node,
} from '../../model/index.js';
import { Claims } from './claims.js';
import { routedNode, targetOf, type RoutedNode, type RouteTarget } from './route-target.js';

export interface ClusterRoutesOptions {
  /** This host. */
  readonly nodeName: string;
}

interface BlockOwners {
  readonly cidr: Cidr;
  /** Hosts with a confirmed affinity. */
  readonly nodes: Set<string>;
}

/**
 * Which routes the cluster asks of this host: blocks by their affinities, single addresses outside the blocks of the
 * host that has them (borrowed ones) by the endpoints and Nodes that name them. Told change by change, in any order;
 * what a change concerns is recomputed, nothing else. No kernel.
 *
 * Borrowed addresses come from endpoints, not from the blocks' allocations: an endpoint names its host whoever wrote
 * it, and blocks change at every container start of the whole cluster.
 */
export class ClusterRoutes {
  readonly #self: string;
  readonly #claims = new Claims();
  readonly #blocks = new Map<string, BlockOwners>();
  readonly #nodes = new Map<string, RoutedNode>();
  /** Host → destinations that lead to it. */
  readonly #byNode = new Map<string, Set<string>>();
  readonly #holders = new Map<string, string>();
  readonly #endpoints = new Map<string, readonly Address[]>();
  readonly #destinations = new Map<string, Cidr>();
  /** Addresses of hosts that lie in a pool, by node: hardly ever any. */
  readonly #inPools = new Map<string, readonly Address[]>();
  #pools: readonly IpPool[] = [];
  #plainRoutes = false;
  #dirty = new Set<string>();

  constructor({ nodeName }: ClusterRoutesOptions) {
    this.#self = nodeName;
  }

  /** Number of blocks of other hosts. */
  get remoteBlocks(): number {
    let count = 0;
    for (const { nodes } of this.#blocks.values()) if (!nodes.has(this.#self)) count += 1;
    return count;
  }

  setPools(pools: Iterable<IpPool>): void {
    this.#pools = [...pools];
    for (const name of this.#nodes.keys()) this.#look(name);
    this.#markAll();
  }

  /** Routes of plain pools are the agent's too. */
  setPlainRoutes(on: boolean): void {
    if (this.#plainRoutes === on) return;
    this.#plainRoutes = on;
    this.#markAll();
  }

  setNode(name: string, node: Node | undefined): void {
    const before = this.#nodes.get(name);
    const next = node === undefined ? undefined : routedNode(node);
    if (next === undefined) this.#nodes.delete(name);
    else this.#nodes.set(name, next);
    this.#look(name);
    for (const kind of tunnelKinds) {
      const source = `node ${name} ${kind}`;
      const [old, fresh] = [before?.tunnels[kind], next?.tunnels[kind]];
      if (String(old) === String(fresh)) continue;
      if (old !== undefined) this.#unclaim(old, source);
      // Behind every endpoint: nobody else can have a tunnel's address but by mistake.
      if (fresh !== undefined) this.#claim(fresh, source, name, -1n);
    }
    if (name === this.#self) this.#markAll();
    else for (const key of this.#byNode.get(name) ?? []) this.#dirty.add(key);
  }

  /** `confirmed` false: the host has no claim on the block, or not yet, or not any more. */
  setAffinity(node: string, cidr: Cidr, confirmed: boolean): void {
    const key = String(cidr);
    let block = this.#blocks.get(key);
    if (block === undefined) {
      if (!confirmed) return;
      block = { cidr, nodes: new Set() };
      this.#blocks.set(key, block);
      this.#claims.useSize(cidr);
    }
    if (confirmed === block.nodes.has(node)) return;
    if (confirmed) block.nodes.add(node);
    else block.nodes.delete(node);
    if (block.nodes.size === 0) this.#blocks.delete(key);
    this.#mark(cidr);
    for (const address of this.#claims.inside(cidr)) this.#mark(Cidr.host(address));
  }

  /** `rank` is the revision of the stored object: of two that name one address the newer is right. */
  setEndpoint(
    key: string,
    endpoint: { readonly node: string; readonly addresses: readonly Address[] } | undefined,
    rank: bigint,
  ): void {
    for (const address of this.#endpoints.get(key) ?? []) this.#unclaim(address, key);
    this.#endpoints.delete(key);
    if (endpoint === undefined) return;
    this.#endpoints.set(key, endpoint.addresses);
    for (const address of endpoint.addresses) this.#claim(address, key, endpoint.node, rank);
  }

  /** The route of this address may have to be looked at again. */
  touch(address: Address): void {
    const key = String(Cidr.host(address));
    if (this.#destinations.has(key)) this.#dirty.add(key);
  }

  /** Destinations that changed since the last call, with their targets. */
  takeChanges(): (readonly [Cidr, RouteTarget])[] {
    const changed: (readonly [Cidr, RouteTarget])[] = [];
    for (const key of this.#dirty) {
      const destination = this.#destinations.get(key);
      if (destination !== undefined) changed.push([destination, this.#decide(key, destination)]);
    }
    this.#dirty = new Set();
    return changed;
  }

  get dirty(): boolean {
    return this.#dirty.size > 0;
  }

  #decide(key: string, destination: Cidr): RouteTarget {
    const holder = this.#holderOf(key, destination);
    this.#index(key, holder);
    if (holder === undefined) {
      this.#destinations.delete(key);
      return { kind: 'none' };
    }
    return targetOf({
      destination,
      pool: poolOf(this.#pools, destination.base),
      own: this.#nodes.get(this.#self),
      holder: this.#nodes.get(holder),
      isOwn: holder === this.#self,
      plainRoutes: this.#plainRoutes,
      coversHost: [...this.#inPools.values()].flat().some((host) => destination.contains(host)),
    });
  }

  /** Whether a pool contains the node's own addresses. */
  #look(name: string): void {
    const hosts = Object.values(this.#nodes.get(name)?.hosts ?? {}).map(({ address }) => address);
    const inside = hosts.filter((host) => poolOf(this.#pools, host) !== undefined);
    if (String(inside) === String(this.#inPools.get(name) ?? [])) return;
    if (inside.length === 0) this.#inPools.delete(name);
    else this.#inPools.set(name, inside);
    this.#markAll();
  }

  /** Whose the destination is; undefined when it needs no route of its own. */
  #holderOf(key: string, destination: Cidr): string | undefined {
    if (destination.isHost) {
      const holder = this.#claims.holderOf(String(destination.base));
      if (holder !== undefined && !this.#isCovered(destination.base, holder)) return holder;
    }
    const nodes = this.#blocks.get(key)?.nodes;
    // Two claims cannot both last; the host itself, then the first by name, as on every other host.
    return nodes === undefined || nodes.has(this.#self)
      ? nodes && this.#self
      : [...nodes].sort()[0];
  }

  /** The address lies in a block of the host that has it: the block's route serves it. */
  #isCovered(address: Address, holder: string): boolean {
    for (const network of this.#claims.enclosing(address)) {
      const block = this.#blocks.get(String(network));
      if (block !== undefined)
        return !network.isHost && this.#holderOf(String(network), network) === holder;
    }
    return false;
  }

  #index(key: string, holder: string | undefined): void {
    const before = this.#holders.get(key);
    if (before === holder) return;
    if (before !== undefined) {
      const keys = this.#byNode.get(before);
      keys?.delete(key);
      if (keys?.size === 0) this.#byNode.delete(before);
    }
    if (holder === undefined) {
      this.#holders.delete(key);
      return;
    }
    this.#holders.set(key, holder);
    const keys = this.#byNode.get(holder);
    if (keys === undefined) this.#byNode.set(holder, new Set([key]));
    else keys.add(key);
  }

  #claim(address: Address, source: string, node: string, rank: bigint): void {
    if (this.#claims.add(address, source, node, rank)) this.#markHost(address);
  }

  #unclaim(address: Address, source: string): void {
    if (this.#claims.remove(address, source)) this.#markHost(address);
  }

  /**
   * Most addresses of a cluster lie in blocks of their hosts, which serve them: nothing has to be decided for those.
   * When such a block changes, so does what is inside.
   */
  #markHost(address: Address): void {
    const destination = Cidr.host(address);
    const key = String(destination);
    const settled = !this.#holders.has(key) && !this.#dirty.has(key);
    if (settled && this.#holderOf(key, destination) === undefined) return;
    this.#mark(destination);
  }

  #mark(destination: Cidr): void {
    const key = String(destination);
    this.#destinations.set(key, destination);
    this.#dirty.add(key);
  }

  #markAll(): void {
    for (const key of this.#destinations.keys()) this.#dirty.add(key);
  }
}
