import { isFault, type Log } from '../../base/index.js';
import type { Address, Family } from '../../model/index.js';
import type { KernelEvent, Link, Netlink, Route } from '../../netlink/index.js';
import { AddressOwners } from './address-owners.js';
import {
  endpointRoute,
  gatewayRoute,
  KERNEL_PROTOCOL,
  routeDelta,
  sameRoute,
  type RouteDelta,
} from './desired-routes.js';
import { ensureInterfaceSettings } from './interface-settings.js';
import { LinkTable } from './link-table.js';
import type { ProcSys } from './proc-sys.js';

/** An endpoint of this host, as far as its routes go. */
export interface RoutedEndpoint {
  readonly interfaceName: string;
  readonly interfaceIndex: number;
  readonly addresses: readonly Address[];
}

export interface RouteStatus {
  /** Routes that are wanted now. */
  readonly wanted: number;
  /** Routes that somebody else removed or changed and that were put right. */
  readonly repaired: number;
  /** Routes of others on our interfaces, and of endpoints that are gone, that were removed. */
  readonly removed: number;
  /** Endpoints whose interface is down or gone: they have no routes. */
  readonly down: readonly string[];
}

export interface RouteKeeperOptions {
  readonly netlink: Netlink;
  readonly sys: ProcSys;
  readonly log: Log;
}

/**
 * Routes and interface settings of the local endpoints. `program` and `withdraw` write what they
 * must and no more; `repair` puts right what kernel events told; `compare` looks at everything.
 */
export class RouteKeeper {
  readonly #netlink: Netlink;
  readonly #sys: ProcSys;
  readonly #log: Log;
  readonly #owners = new AddressOwners();
  readonly #endpoints = new Map<string, RoutedEndpoint>();
  readonly #links = new LinkTable();
  readonly #suspects = new Map<string, Address>();
  readonly #revived = new Set<string>();
  readonly #strangers: Route[] = [];
  #loopback: number | undefined;
  #gatewayLost = false;
  #repaired = 0;
  #removed = 0;

  constructor(options: RouteKeeperOptions) {
    this.#netlink = options.netlink;
    this.#sys = options.sys;
    this.#log = options.log;
  }

  get status(): RouteStatus {
    const down = [...this.#endpoints].flatMap(([id, { interfaceName }]) =>
      this.#links.state(interfaceName)?.up === false ? [id] : [],
    );
    const wanted = [...this.#owners.entries()].length;
    return { wanted, repaired: this.#repaired, removed: this.#removed, down };
  }

  hasAddress(address: Address): boolean {
    return this.#owners.ownerOf(address) !== undefined;
  }

  /** From now on the endpoint is wanted; those of its addresses that another endpoint had until now. */
  add(id: string, endpoint: RoutedEndpoint): readonly Address[] {
    this.forget(id);
    this.#endpoints.set(id, endpoint);
    this.#links.add(endpoint.interfaceName, id, endpoint.interfaceIndex);
    return endpoint.addresses.filter((address) => this.#owners.add(address, id));
  }

  /** Settings of its interface: before anything is sent to it. */
  prepare(id: string): void {
    const endpoint = this.#endpoints.get(id);
    if (endpoint === undefined) return;
    const ipv6 = endpoint.addresses.some(({ family }) => family === 6);
    ensureInterfaceSettings(this.#sys, endpoint.interfaceName, ipv6);
  }

  /** Writes the routes of an endpoint that `add` told of. */
  async program(id: string): Promise<void> {
    const endpoint = this.#endpoints.get(id);
    if (endpoint === undefined) return;
    const own = endpoint.addresses.filter((address) => this.#owners.ownerOf(address) === id);
    await Promise.all(own.map((address) => this.#replace(address)));
  }

  /** The endpoint is no longer wanted; nothing is written yet. */
  forget(id: string): RoutedEndpoint | undefined {
    const endpoint = this.#endpoints.get(id);
    if (endpoint === undefined) return undefined;
    this.#endpoints.delete(id);
    for (const address of endpoint.addresses) this.#owners.remove(address, id);
    this.#links.remove(endpoint.interfaceName, id);
    return endpoint;
  }

  /** Takes away the routes of an endpoint that `forget` gave back; an older owner gets its address again. */
  async withdraw(endpoint: RoutedEndpoint): Promise<void> {
    await Promise.all(
      endpoint.addresses.map((address) =>
        this.hasAddress(address)
          ? this.#replace(address)
          : this.#netlink.deleteRoute(endpointRoute(address, endpoint.interfaceIndex)),
      ),
    );
  }

  /** True when the event asks for a `repair`, 'compare' when events were missed. */
  onEvent(event: KernelEvent): boolean | 'compare' {
    switch (event.type) {
      case 'overrun':
        return 'compare';
      case 'link':
        return this.#onLink(event.link, event.removed);
      case 'route':
        return this.#onRoute(event.route, event.removed);
      case 'address':
        return false;
    }
  }

  /** Puts right what events told since the last call. What fails stays to be repaired. */
  async repair(): Promise<void> {
    for (const id of this.#revived) {
      this.prepare(id);
      for (const address of this.#endpoints.get(id)?.addresses ?? []) {
        this.#suspects.set(String(address), address);
      }
      this.#revived.delete(id);
    }
    if (this.#gatewayLost) {
      await this.#netlink.replaceRoute(gatewayRoute(await this.#loopbackIndex()));
      this.#gatewayLost = false;
      this.#repaired += 1;
    }
    for (const [key, address] of this.#suspects) {
      if (await this.#replaceIfUp(address)) this.#repaired += 1;
      this.#suspects.delete(key);
    }
    for (let route = this.#strangers[0]; route !== undefined; route = this.#strangers[0]) {
      if (!this.#isWanted(route)) {
        await this.#netlink.deleteRoute(route);
        this.#removed += 1;
      }
      this.#strangers.shift();
    }
  }

  /**
   * Compares all routes and interface settings with the kernel; writes nothing when all is well. With
   * `remove` false nothing is deleted: not everything that is wanted is known yet.
   */
  async compare(remove: boolean): Promise<void> {
    const loopback = await this.#loopbackIndex();
    const before = this.#links.names();
    const links = (await this.#netlink.links()).filter(({ name }) => name.startsWith('cali'));
    const present = new Set(links.map(({ name }) => name));
    for (const link of links) this.#links.update(link, false);
    for (const name of before) {
      const state = this.#links.state(name);
      if (state !== undefined && !present.has(name)) this.#links.update({ name, ...state }, true);
    }
    const workloadIndexes = new Set(links.map(({ index }) => index));
    for (const family of [4, 6] as const) {
      const desired = this.#desired(family, loopback);
      const actual = await this.#netlink.routes(family);
      const scope = { loopbackIndex: loopback, workloadIndexes };
      await this.#apply(routeDelta(desired, actual, scope), remove);
    }
    await this.#compareSettings(present);
  }

  async #apply(delta: RouteDelta, remove: boolean): Promise<void> {
    for (const route of delta.replace) {
      if (route.destination.isHost) await this.#replaceIfUp(route.destination.base);
      else await this.#netlink.replaceRoute(route);
      this.#repaired += 1;
    }
    if (!remove) return;
    for (const route of delta.remove) {
      // An endpoint may have come since the dump.
      if (this.#isWanted(route)) continue;
      this.#log.info(
        { route: String(route.destination) },
        'removed a route that nobody here wants',
      );
      await this.#netlink.deleteRoute(route);
      this.#removed += 1;
    }
  }

  /** Each takes some ten reads of /proc: the event loop gets its turn in between. */
  async #compareSettings(present: ReadonlySet<string>): Promise<void> {
    for (const [id, { interfaceName }] of [...this.#endpoints]) {
      if (!present.has(interfaceName) || !this.#endpoints.has(id)) continue;
      await new Promise((resolve) => setImmediate(resolve));
      try {
        this.prepare(id);
      } catch (error) {
        if (!isFault(error, 'unavailable')) throw error;
      }
    }
  }

  #desired(family: Family, loopback: number): Route[] {
    const routes = family === 4 ? [gatewayRoute(loopback)] : [];
    for (const [address] of this.#owners.entries()) {
      const route = address.family === family ? this.#routeOf(address) : undefined;
      if (route !== undefined) routes.push(route);
    }
    return routes;
  }

  /** Undefined while the owner's interface is down: the kernel would refuse it. */
  #routeOf(address: Address): Route | undefined {
    const endpoint = this.#endpoints.get(this.#owners.ownerOf(address) ?? '');
    if (endpoint === undefined) return undefined;
    const link = this.#links.state(endpoint.interfaceName);
    if (link?.up === false) return undefined;
    return endpointRoute(address, link?.index ?? endpoint.interfaceIndex);
  }

  async #replace(address: Address): Promise<void> {
    const route = this.#routeOf(address);
    if (route !== undefined) await this.#netlink.replaceRoute(route);
  }

  /** An interface that goes down while we write is no failure: its next event brings us back. */
  async #replaceIfUp(address: Address): Promise<boolean> {
    const route = this.#routeOf(address);
    if (route === undefined) return false;
    try {
      await this.#netlink.replaceRoute(route);
      return true;
    } catch (error) {
      const name = this.#endpoints.get(this.#owners.ownerOf(address) ?? '')?.interfaceName ?? '';
      const link = await this.#netlink.linkByName(name);
      if (link?.up === true) throw error;
      this.#links.update(
        { name, index: link?.index ?? route.interfaceIndex ?? 0, up: false },
        false,
      );
      return false;
    }
  }

  #isWanted(route: Route): boolean {
    if (!route.destination.isHost) {
      const loopback = this.#loopback;
      return loopback !== undefined && sameRoute(gatewayRoute(loopback), route);
    }
    const wanted = this.#routeOf(route.destination.base);
    return wanted !== undefined && sameRoute(wanted, route);
  }

  #onLink(link: Link, removed: boolean): boolean {
    const revived = this.#links.update(link, removed);
    if (revived !== undefined) this.#revived.add(revived);
    return revived !== undefined;
  }

  #onRoute(route: Route, removed: boolean): boolean {
    const { destination } = route;
    if (this.#loopback !== undefined && sameRoute(gatewayRoute(this.#loopback), route)) {
      this.#gatewayLost = removed;
      return removed;
    }
    const suspect =
      destination.isHost && this.hasAddress(destination.base) && removed === this.#isWanted(route);
    if (suspect) this.#suspects.set(String(destination.base), destination.base);
    const stranger =
      !removed &&
      route.protocol !== KERNEL_PROTOCOL &&
      this.#links.hasIndex(route.interfaceIndex) &&
      !this.#isWanted(route);
    if (stranger) this.#strangers.push(route);
    return suspect || stranger;
  }

  async #loopbackIndex(): Promise<number> {
    this.#loopback ??= (await this.#netlink.linkByName('lo'))?.index ?? 1;
    return this.#loopback;
  }
}
