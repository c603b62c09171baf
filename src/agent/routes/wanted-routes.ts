import type { Address, Family } from '../../model/index.js';
import type { Link, Route } from '../../netlink/index.js';
import { AddressOwners } from './address-owners.js';
import { endpointRoute, gatewayRoute, sameRoute } from './desired-routes.js';
import { LinkTable } from './link-table.js';

/** An endpoint of this host, as far as its routes go. */
export interface RoutedEndpoint {
  readonly interfaceName: string;
  readonly interfaceIndex: number;
  readonly addresses: readonly Address[];
}

/** Which routes the local endpoints want, given which of their interfaces are up. No kernel. */
export class WantedRoutes {
  readonly links = new LinkTable();
  readonly #owners = new AddressOwners();
  readonly #endpoints = new Map<string, RoutedEndpoint>();
  /** Index of `lo`, once known: the gateways' route is wanted from then on. */
  loopback: number | undefined;

  get count(): number {
    return this.#owners.count;
  }

  endpoint(id: string): RoutedEndpoint | undefined {
    return this.#endpoints.get(id);
  }

  endpoints(): readonly (readonly [string, RoutedEndpoint])[] {
    return [...this.#endpoints];
  }

  /** Endpoints whose interface is down or gone. */
  down(): readonly string[] {
    return this.links.down();
  }

  /** Those of its addresses that another endpoint had until now. */
  add(id: string, endpoint: RoutedEndpoint): readonly Address[] {
    this.forget(id);
    this.#endpoints.set(id, endpoint);
    this.links.add(endpoint.interfaceName, id, endpoint.interfaceIndex);
    return endpoint.addresses.filter((address) => this.#owners.add(address, id));
  }

  forget(id: string): RoutedEndpoint | undefined {
    const endpoint = this.#endpoints.get(id);
    if (endpoint === undefined) return undefined;
    this.#endpoints.delete(id);
    for (const address of endpoint.addresses) this.#owners.remove(address, id);
    this.links.remove(endpoint.interfaceName, id);
    return endpoint;
  }

  ownerOf(address: Address): RoutedEndpoint | undefined {
    return this.#endpoints.get(this.#owners.ownerOf(address) ?? '');
  }

  /** The addresses that this endpoint has and no newer one. */
  addressesOf(id: string): readonly Address[] {
    const addresses = this.#endpoints.get(id)?.addresses ?? [];
    return addresses.filter((address) => this.#owners.ownerOf(address) === id);
  }

  /** Undefined while the owner's interface is down: the kernel would refuse it. */
  routeOf(address: Address): Route | undefined {
    const owner = this.ownerOf(address);
    if (owner === undefined) return undefined;
    const link = this.links.state(owner.interfaceName);
    if (link?.up === false) return undefined;
    return endpointRoute(address, link?.index ?? owner.interfaceIndex);
  }

  isGateway(route: Route): boolean {
    return this.loopback !== undefined && sameRoute(gatewayRoute(this.loopback), route);
  }

  isWanted(route: Route): boolean {
    if (!route.destination.isHost) return this.isGateway(route);
    const wanted = this.routeOf(route.destination.base);
    return wanted !== undefined && sameRoute(wanted, route);
  }

  all(family: Family): Route[] {
    const gateways = this.loopback === undefined ? [] : [gatewayRoute(this.loopback)];
    const routes = family === 4 ? gateways : [];
    for (const [address] of this.#owners.entries()) {
      const route = address.family === family ? this.routeOf(address) : undefined;
      if (route !== undefined) routes.push(route);
    }
    return routes;
  }

  /** An interface was heard of: the endpoint's ID when it came (back) up. */
  onLink(link: Pick<Link, 'name' | 'index' | 'up'>, removed: boolean): string | undefined {
    return this.links.update(link, removed);
  }
}
