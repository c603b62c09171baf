import type { Log } from '../../base/index.js';
import { families, type Address, type Cidr } from '../../model/index.js';
import { routeKey, type KernelEvent, type Netlink, type Route } from '../../netlink/index.js';
import type { ClusterRoutes } from './cluster-routes.js';
import {
  equalRoutes,
  isClusterRoute,
  noDevices,
  routeFor,
  type RouteDevices,
} from './remote-routes.js';
import {
  describeObstacle,
  obstacleOf,
  RouteObstacles,
  type RouteObstacle,
  type RouteProblem,
} from './route-obstacles.js';
import type { RouteTarget } from './route-target.js';

export interface RemoteRouteStatus {
  /** Blocks of other hosts that the datastore names. */
  readonly blocks: number;
  /** Routes to other hosts, and to nowhere for own blocks, that are in the kernel. */
  readonly routes: number;
  readonly written: number;
  readonly removed: number;
}

export interface RemoteRouteOptions {
  readonly netlink: Netlink;
  readonly log: Log;
  readonly routes: ClusterRoutes;
  /** A local endpoint has the address: its own route goes before any other. */
  readonly isLocal: (address: Address) => boolean;
}

/** Requests on their way to the kernel at a time. */
const WINDOW = 64;
/** Metrics that a route of ours, or one that Felix or BIRD left, can have. */
const METRICS = [0, 32, 1024];

/**
 * Routes to other hosts' blocks and addresses. `apply` writes what changed and no more; `compare` looks at the
 * whole table. Routes of other programs are never replaced: one in our way is told and left.
 */
export class RemoteRouteKeeper {
  readonly #options: RemoteRouteOptions;
  readonly #wanted = new Map<
    string,
    { readonly destination: Cidr; readonly target: RouteTarget }
  >();
  /** Ours in the kernel, as last listed, heard of or written. */
  readonly #present = new Map<string, Route>();
  readonly #pending = new Set<string>();
  readonly #obstacles: RouteObstacles;
  /** Interfaces of ours that were heard to be down. */
  readonly #down = new Set<number>();
  #devices: RouteDevices = noDevices;
  #listed = false;
  #written = 0;
  #removed = 0;

  constructor(options: RemoteRouteOptions) {
    this.#options = options;
    this.#obstacles = new RouteObstacles(options.log);
  }

  get status(): RemoteRouteStatus {
    return {
      blocks: this.#options.routes.remoteBlocks,
      routes: this.#present.size,
      written: this.#written,
      removed: this.#removed,
    };
  }

  /** Wanted routes that are not there. */
  get problems(): readonly RouteProblem[] {
    return this.#obstacles.all;
  }

  /** Interfaces came, went or were made anew. True when routes have to be looked at again. */
  setDevices(devices: RouteDevices): boolean {
    if (JSON.stringify(devices) === JSON.stringify(this.#devices)) return false;
    this.#devices = devices;
    this.#down.clear();
    this.#doubtAll();
    return true;
  }

  /** True when the event asks for an `apply`. */
  onEvent(event: KernelEvent): boolean {
    if (event.type === 'link')
      return this.#onLink(event.link.index, event.link.up && !event.removed);
    if (event.type === 'address' && event.removed) return this.#onAddressGone(event.address.index);
    if (event.type !== 'route') return false;
    const { route, removed } = event;
    const destination = String(route.destination);
    const ours = isClusterRoute(route, this.#devices);
    if (ours && !removed) this.#present.set(routeKey(route), route);
    else if (ours || !removed) this.#present.delete(routeKey(route));
    const { route: wanted } = this.#decide(destination);
    const doubtful =
      wanted === undefined
        ? ours && !removed
        : !equalRoutes(this.#present.get(routeKey(wanted)), wanted) &&
          (removed || !this.#obstacles.has(destination));
    if (doubtful) this.#pending.add(destination);
    return doubtful;
  }

  /** Brings changes since the last call into the kernel. Nothing is deleted unless `remove`. */
  async apply(remove: boolean): Promise<void> {
    for (const [destination, target] of this.#options.routes.takeChanges()) {
      const key = String(destination);
      if (target.kind === 'none' && target.reason === undefined) this.#wanted.delete(key);
      else this.#wanted.set(key, { destination, target });
      this.#pending.add(key);
    }
    if (!this.#listed) await this.#list();
    await this.#settleAll([...this.#pending], remove);
  }

  /** Compares the whole table with what is wanted; writes nothing when all is well. */
  async compare(remove: boolean): Promise<void> {
    this.#doubtAll();
    await this.apply(remove);
  }

  #doubtAll(): void {
    this.#listed = false;
    for (const key of this.#wanted.keys()) this.#pending.add(key);
  }

  /** So it does with those of an interface that loses its last address. */
  #onAddressGone(index: number): boolean {
    if (!this.#concerns(index)) return false;
    this.#doubtAll();
    return true;
  }

  #concerns(index: number): boolean {
    const { uplinks, tunnels } = this.#devices;
    return [...Object.values(uplinks), ...Object.values(tunnels)].includes(index);
  }

  /** The kernel takes routes of an interface that goes down away without a word. */
  #onLink(index: number, up: boolean): boolean {
    if (!this.#concerns(index) || up !== this.#down.has(index)) return false;
    if (up) this.#down.delete(index);
    else this.#down.add(index);
    this.#doubtAll();
    return true;
  }

  async #list(): Promise<void> {
    this.#listed = true;
    const found: Route[] = [];
    try {
      for (const family of families) found.push(...(await this.#options.netlink.routes(family)));
    } catch (error) {
      this.#listed = false;
      throw error;
    }
    this.#present.clear();
    for (const route of found) {
      if (!isClusterRoute(route, this.#devices)) continue;
      this.#present.set(routeKey(route), route);
      this.#pending.add(String(route.destination));
    }
  }

  async #settleAll(keys: readonly string[], remove: boolean): Promise<void> {
    const failures: unknown[] = [];
    for (let from = 0; from < keys.length; from += WINDOW) {
      const batch = keys.slice(from, from + WINDOW);
      const results = await Promise.allSettled(batch.map((key) => this.#settle(key, remove)));
      for (const result of results) if (result.status === 'rejected') failures.push(result.reason);
    }
    if (failures.length > 0) throw failures[0];
  }

  async #settle(key: string, remove: boolean): Promise<void> {
    this.#pending.delete(key);
    const { route, obstacle } = this.#decide(key);
    try {
      if (route !== undefined) await this.#put(key, route);
      else if (obstacle === undefined) this.#obstacles.clear(key);
      else this.#obstacles.tell(key, obstacle);
      if (remove) await this.#removeOthers(key, route);
    } catch (error) {
      this.#pending.add(key);
      throw error;
    }
  }

  /** The wanted route, or why there can be none; neither when none is wanted. */
  #decide(key: string): { readonly route?: Route; readonly obstacle?: RouteObstacle } {
    const wanted = this.#wanted.get(key);
    if (wanted === undefined) return {};
    const { destination, target } = wanted;
    if (destination.isHost && this.#options.isLocal(destination.base)) return {};
    if (target.kind === 'none')
      return target.reason === undefined ? {} : { obstacle: target.reason };
    const route = routeFor(destination, target, this.#devices);
    return route === undefined ? { obstacle: 'device-missing' } : { route };
  }

  async #put(key: string, route: Route): Promise<void> {
    const { netlink } = this.#options;
    const known = this.#present.get(routeKey(route));
    if (!equalRoutes(known, route)) {
      try {
        if (known === undefined) await netlink.addRoute(route);
        else await netlink.replaceRoute(route);
      } catch (error) {
        const reason = obstacleOf(error);
        if (reason === undefined) throw error;
        this.#obstacles.tell(key, reason, await describeObstacle(reason, route, netlink, error));
        return;
      }
      this.#present.set(routeKey(route), route);
      this.#written += 1;
    }
    this.#obstacles.clear(key);
  }

  /** Those of our routes to the destination that are not the wanted one. */
  async #removeOthers(key: string, wanted: Route | undefined): Promise<void> {
    const keep = wanted === undefined ? undefined : routeKey(wanted);
    for (const metric of METRICS) {
      const place = `${key} ${metric}`;
      const route = this.#present.get(place);
      if (route === undefined || place === keep) continue;
      await this.#options.netlink.deleteRoute(route);
      this.#present.delete(place);
      this.#removed += 1;
    }
  }
}
