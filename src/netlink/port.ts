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
  /** Of VXLAN devices. */
  readonly vxlan?: VxlanTraits;
}

/** What makes a VXLAN device; none of it can be changed in place. */
export interface VxlanTraits {
  /** The network identifier, VNI. */
  readonly id: number;
  /** UDP port. */
  readonly port: number;
  /** Source of the outer packets. */
  readonly local?: Address;
  /** The device that outer packets leave by; 0 for whichever the route says. */
  readonly linkIndex: number;
  /** Learns addresses from what arrives. */
  readonly learning: boolean;
}

export interface VxlanSpec extends VxlanTraits {
  readonly name: string;
  readonly mac: string;
  readonly mtu: number;
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
  /** The gateway is taken to be on the link, whatever the addresses there say. */
  readonly onlink?: boolean;
  readonly metric?: number;
}

/** Whose MAC an address on the link has. */
export interface Neighbour {
  readonly address: Address;
  readonly mac: string;
}

/** To which host a VXLAN device sends what goes to a MAC. */
export interface ForwardingEntry {
  readonly mac: string;
  readonly destination: Address;
}

/** What a change of a link may say. */
export interface LinkChange {
  readonly up?: boolean;
  readonly group?: number;
  readonly mtu?: number;
  readonly mac?: string;
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
  /** They were sent to another address. */
  readonly translated?: true;
  readonly protocol: number;
  readonly sourcePort?: number;
  readonly destinationPort?: number;
  readonly icmpType?: number;
  readonly icmpCode?: number;
}

/** Our mark on every route that we program (product.md §4). */
export const ROUTE_PROTOCOL = 80;

/** What tunnels to other hosts need. */
export interface TunnelNetlink {
  /** Creates it, up. `exists` when the name, or the port and VNI, are taken. */
  createVxlan(spec: VxlanSpec): Promise<{ readonly index: number }>;
  /** Makes an IPIP device that sends to whatever a route names. `exists` when it is there, `unsupported` without the kernel's module. */
  createIpip(name: string): Promise<void>;
  /** An absent address is no error. */
  removeAddress(index: number, address: Address, prefix: number): Promise<void>;
  /** Permanent neighbours and forwarding entries of a VXLAN device. */
  tunnelEntries(index: number): Promise<{
    readonly neighbours: readonly Neighbour[];
    readonly forwarding: readonly ForwardingEntry[];
  }>;
  /** Permanent neighbour entry. */
  replaceNeighbour(entry: Neighbour & { readonly index: number }): Promise<void>;
  /** An absent one is no error. */
  deleteNeighbour(entry: Neighbour & { readonly index: number }): Promise<void>;
  /** Permanent; the only destination of this MAC. */
  replaceForwarding(entry: ForwardingEntry & { readonly index: number }): Promise<void>;
  /** An absent one is no error. */
  deleteForwarding(entry: ForwardingEntry & { readonly index: number }): Promise<void>;
}

/**
 * Links, addresses, routes, neighbours and conntrack of the namespace the process runs in.
 * Faults: `exists`, `not-found` (both by meaning, e.g. ENODEV, ESRCH), `refused` (EPERM),
 * `unsupported` (EOPNOTSUPP), `unavailable` (socket gone), `internal` for other errno, with `details.errno`.
 */
export interface Netlink extends TunnelNetlink {
  /** Creates both ends with one queue each; the host end is up. `exists` when either name is taken. */
  createVeth(spec: VethSpec): Promise<{ readonly hostIndex: number }>;
  linkByName(name: string): Promise<Link | undefined>;
  links(): Promise<readonly Link[]>;
  setLink(index: number, change: LinkChange): Promise<void>;
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
  /** Creates; `exists` when there is a route of the same destination and metric, whoever made it. */
  addRoute(route: Route): Promise<void>;
  /** Deletes by destination, metric and interface; an absent route is no error. */
  deleteRoute(route: Route): Promise<void>;
  /** Deletes every conntrack flow whose original or reply source is one of the addresses; none found is success. Never flushes the table. */
  deleteFlows(addresses: readonly Address[]): Promise<number>;
  /** Deletes every conntrack flow that is forbidden; how many went. One walk through the table, off the event loop. */
  cutFlows(isForbidden: (flow: ConnectionFlow) => boolean): Promise<number>;
  /** Every conntrack flow that is wanted, but those related to another one. Off the event loop. */
  listFlows(isWanted: (flow: ConnectionFlow) => boolean): Promise<readonly ConnectionFlow[]>;
  /** Original and reply source, as text, of every conntrack flow. Walks the table off the event loop, 10 ms and more. */
  flowSources(): Promise<ReadonlySet<string>>;
  /** The first event is `overrun`, once listening has begun: what is listed after it cannot change unheard. */
  monitor(listener: (event: KernelEvent) => void): { close(): void };
  close(): Promise<void>;
}
