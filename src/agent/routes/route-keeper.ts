import { isFault, type Log } from '../../base/index.js';
import type { Address } from '../../model/index.js';
import type { KernelEvent, Netlink, Route } from '../../netlink/index.js';
import {
  endpointRoute,
  gatewayRoute,
  KERNEL_PROTOCOL,
  routeDelta,
  type RouteDelta,
} from './desired-routes.js';
import { ensureInterfaceSettings } from './interface-settings.js';
import type { ProcSys } from './proc-sys.js';
import { WantedRoutes, type RoutedEndpoint } from './wanted-routes.js';

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
  readonly #wanted = new WantedRoutes();
  /** What events told, until `repair`. */
  readonly #suspects = new Map<string, Address>();
  readonly #revived = new Set<string>();
  readonly #strangers: Route[] = [];
  #gatewayLost = false;
  #repaired = 0;
  #removed = 0;

  constructor({ netlink, sys, log }: RouteKeeperOptions) {
    this.#netlink = netlink;
    this.#sys = sys;
    this.#log = log;
  }

  get status(): RouteStatus {
    return {
      wanted: this.#wanted.count,
      repaired: this.#repaired,
      removed: this.#removed,
      down: this.#wanted.down(),
    };
  }

  hasAddress(address: Address): boolean {
    return this.#wanted.ownerOf(address) !== undefined;
  }

  /** From now on the endpoint is wanted; those of its addresses that another endpoint had until now. */
  add(id: string, endpoint: RoutedEndpoint): readonly Address[] {
    return this.#wanted.add(id, endpoint);
  }

  /** Settings of its interface: before anything is sent to it. */
  prepare(id: string): void {
    const endpoint = this.#wanted.endpoint(id);
    if (endpoint === undefined) return;
    const ipv6 = endpoint.addresses.some(({ family }) => family === 6);
    ensureInterfaceSettings(this.#sys, endpoint.interfaceName, ipv6);
  }

  /** Writes the routes of an endpoint that `add` told of. */
  async program(id: string): Promise<void> {
    await Promise.all(this.#wanted.addressesOf(id).map((address) => this.#replace(address)));
  }

  /** The endpoint is no longer wanted; nothing is written yet. */
  forget(id: string): (RoutedEndpoint & { readonly isDown: boolean }) | undefined {
    const state = this.#wanted.links.state(this.#wanted.endpoint(id)?.interfaceName ?? '');
    const endpoint = this.#wanted.forget(id);
    return endpoint && { ...endpoint, isDown: state?.up === false };
  }

  /**
   * Takes away the routes of an endpoint that `forget` gave back; an older owner gets its address again. The
   * routes of an interface that is down went with it.
   */
  async withdraw(endpoint: RoutedEndpoint & { readonly isDown: boolean }): Promise<void> {
    await Promise.all(
      endpoint.addresses.map(async (address) => {
        if (this.hasAddress(address)) await this.#replace(address);
        else if (!endpoint.isDown)
          await this.#netlink.deleteRoute(endpointRoute(address, endpoint.interfaceIndex));
      }),
    );
  }

  /** True when the event asks for a `repair`, 'compare' when events were missed. */
  onEvent(event: KernelEvent): boolean | 'compare' {
    switch (event.type) {
      case 'overrun':
        return 'compare';
      case 'link': {
        const revived = this.#wanted.onLink(event.link, event.removed);
        if (revived !== undefined) this.#revived.add(revived);
        return revived !== undefined;
      }
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
      for (const address of this.#wanted.addressesOf(id)) {
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
      await this.#replaceIfUp(address);
      this.#suspects.delete(key);
    }
    for (let route = this.#strangers[0]; route !== undefined; route = this.#strangers[0]) {
      await this.#removeUnwanted(route);
      this.#strangers.shift();
    }
  }

  /**
   * Compares all routes and interface settings with the kernel; writes nothing when all is well. With `remove` false
   * nothing is deleted: not everything that is wanted is known yet. `settings` false leaves out those of interfaces
   * that nothing happened to.
   */
  async compare(remove: boolean, settings = true): Promise<void> {
    const loopbackIndex = await this.#loopbackIndex();
    const before = this.#wanted.links.names();
    const links = (await this.#netlink.links()).filter(({ name }) => name.startsWith('cali'));
    const present = new Set(links.map(({ name }) => name));
    const revived = new Set(links.map((link) => this.#wanted.onLink(link, false)));
    for (const name of before) {
      const state = this.#wanted.links.state(name);
      if (state !== undefined && !present.has(name)) this.#wanted.onLink({ name, ...state }, true);
    }
    const scope = { loopbackIndex, workloadIndexes: new Set(links.map(({ index }) => index)) };
    for (const family of [4, 6] as const) {
      const found = await this.#netlink.routes(family);
      await this.#apply(routeDelta(this.#wanted.all(family), found, scope), remove);
    }
    await this.#compareSettings(present, (id) => settings || revived.has(id));
  }

  async #apply(delta: RouteDelta, remove: boolean): Promise<void> {
    for (const route of delta.replace) {
      if (route.destination.isHost) await this.#replaceIfUp(route.destination.base);
      else {
        await this.#netlink.replaceRoute(route);
        this.#repaired += 1;
      }
    }
    for (const route of remove ? delta.remove : []) await this.#removeUnwanted(route);
  }

  /** Each takes some ten reads of /proc: the event loop gets its turn in between. */
  async #compareSettings(
    present: ReadonlySet<string>,
    concerned: (id: string) => boolean,
  ): Promise<void> {
    for (const [id, { interfaceName }] of this.#wanted.endpoints()) {
      if (!present.has(interfaceName) || !concerned(id)) continue;
      await new Promise((resolve) => setImmediate(resolve));
      try {
        this.prepare(id);
      } catch (error) {
        // Gone since the dump; its event has come, or will.
        if (!isFault(error, 'unavailable')) throw error;
      }
    }
  }

  async #replace(address: Address): Promise<void> {
    const route = this.#wanted.routeOf(address);
    if (route !== undefined) await this.#netlink.replaceRoute(route);
  }

  /** An interface that goes down while we write is no failure: its next event brings us back. */
  async #replaceIfUp(address: Address): Promise<void> {
    const route = this.#wanted.routeOf(address);
    if (route?.interfaceIndex === undefined) return;
    try {
      await this.#netlink.replaceRoute(route);
      this.#repaired += 1;
    } catch (error) {
      const name = this.#wanted.ownerOf(address)?.interfaceName ?? '';
      const link = await this.#netlink.linkByName(name);
      if (link?.up === true) throw error;
      this.#wanted.onLink(link ?? { name, index: route.interfaceIndex, up: false }, false);
    }
  }

  /** An endpoint may have come that wants it since it was found. */
  async #removeUnwanted(route: Route): Promise<void> {
    if (this.#wanted.isWanted(route)) return;
    const destination = String(route.destination);
    this.#log.info({ route: destination }, 'removing a route that nobody here wants');
    await this.#netlink.deleteRoute(route);
    this.#removed += 1;
  }

  #onRoute(route: Route, removed: boolean): boolean {
    if (this.#wanted.isGateway(route)) {
      this.#gatewayLost = removed;
      return removed;
    }
    const { base, isHost } = route.destination;
    const wanted = this.#wanted.isWanted(route);
    const suspect = isHost && this.hasAddress(base) && removed === wanted;
    if (suspect) this.#suspects.set(String(base), base);
    const judged =
      route.protocol !== KERNEL_PROTOCOL && this.#wanted.links.hasIndex(route.interfaceIndex);
    const stranger = judged && !removed && !wanted;
    if (stranger) this.#strangers.push(route);
    return suspect || stranger;
  }

  async #loopbackIndex(): Promise<number> {
    const index = this.#wanted.loopback ?? (await this.#netlink.linkByName('lo'))?.index ?? 1;
    this.#wanted.loopback = index;
    return index;
  }
}
