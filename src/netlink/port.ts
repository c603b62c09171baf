import type { Address, Cidr, Family } from '../model/index.js';

export interface Link {
  readonly index: number;
  readonly name: string;
  /** `veth`, `bridge`, `dummy`, …; empty when the kernel names none. */
  readonly kind: string;
  readonly mac: string;
  readonly mtu: number;
  /** IFF_UP. */
  readonly up: boolean;
  /** IFF_LOWER_UP: carrier. */
  readonly running: boolean;
  readonly group: number;
}

export interface VethSpec {
  readonly host: { readonly name: string; readonly mac: string };
  readonly peer: { readonly name: string; readonly mac?: string };
  readonly mtu: number;
}

export interface LinkAddress {
  readonly index: number;
  readonly address: Address;
  readonly prefix: number;
}

export type RouteType = 'unicast' | 'local' | 'blackhole' | 'unreachable' | 'prohibit';

/** A route of the main table. */
export interface Route {
  readonly destination: Cidr;
  readonly type: RouteType;
  readonly protocol: number;
  readonly scope: 'universe' | 'link' | 'host';
  /** Undefined for blackholes. */
  readonly interfaceIndex?: number;
  readonly gateway?: Address;
  readonly metric?: number;
}

export type KernelEvent =
  | { readonly type: 'link'; readonly link: Link; readonly removed: boolean }
  | { readonly type: 'route'; readonly route: Route; readonly removed: boolean }
  | { readonly type: 'address'; readonly address: LinkAddress; readonly removed: boolean }
  /** Events were missed: look at everything again. */
  | { readonly type: 'overrun' };

/**
 * A connection as packets of its first direction meet filter rules: with the source that they come
 * with, and the destination that they are sent on to.
 */
export interface ConnectionFlow {
  readonly source: Address;
  readonly destination: Address;
  readonly protocol: number;
  readonly sourcePort?: number;
  readonly destinationPort?: number;
  readonly icmpType?: number;
  readonly icmpCode?: number;
}

/** Our mark on every route that we program (product.md §4). */
export const ROUTE_PROTOCOL = 80;

/**
 * Links, addresses, routes, neighbours and conntrack of the namespace the process runs in.
 * Faults: `exists`, `not-found` (both by meaning, e.g. ENODEV, ESRCH), `refused` (EPERM),
 * `unsupported` (EOPNOTSUPP), `unavailable` (socket gone), `internal` for other errno, with `details.errno`.
 */
export interface Netlink {
  /** Creates both ends with one queue each; the host end is up. `exists` when either name is taken. */
  createVeth(spec: VethSpec): Promise<{ readonly hostIndex: number }>;
  linkByName(name: string): Promise<Link | undefined>;
  links(): Promise<readonly Link[]>;
  setLink(
    index: number,
    change: { readonly up?: boolean; readonly group?: number; readonly mtu?: number },
  ): Promise<void>;
  /**
   * Deletes pairs, off the event loop, at most 60 in one kernel request; `names` guards each index:
   * an index whose link now has another name is left alone. Absent links count as deleted.
   */
  deleteLinks(links: readonly { readonly index: number; readonly name: string }[]): Promise<void>;
  addresses(): Promise<readonly LinkAddress[]>;
  addAddress(index: number, address: Address, prefix: number): Promise<void>;
  routes(family: Family): Promise<readonly Route[]>;
  /** Creates, or replaces the route of the same destination and metric. */
  replaceRoute(route: Route): Promise<void>;
  /** Deletes by destination, metric and interface; an absent route is no error. */
  deleteRoute(route: Route): Promise<void>;
  /** Permanent neighbour entry. */
  replaceNeighbour(entry: {
    readonly index: number;
    readonly address: Address;
    readonly mac: string;
  }): Promise<void>;
  /** Deletes every conntrack flow whose original or reply source is one of the addresses; none found is success. Never flushes the table. */
  deleteFlows(addresses: readonly Address[]): Promise<number>;
  /** Deletes every conntrack flow that is forbidden; how many went. One walk through the table, off the event loop. */
  cutFlows(isForbidden: (flow: ConnectionFlow) => boolean): Promise<number>;
  /** Original and reply source, as text, of every conntrack flow. Walks the table off the event loop, 10 ms and more. */
  flowSources(): Promise<ReadonlySet<string>>;
  /** The first event is `overrun`, once listening has begun: what is listed after it cannot change unheard. */
  monitor(listener: (event: KernelEvent) => void): { close(): void };
  close(): Promise<void>;
}
