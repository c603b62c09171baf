import type { Log } from '../base/log.js';
import type { Address, Family } from '../model/index.js';
import { addAddressRequest, decodeAddress, listAddressesRequest } from './address.js';
import { deleteFlows, flowSources } from './conntrack.js';
import { cutFlows, listFlows } from './cut-flows.js';
import { deleteLinksInBatches, DeletionGroup, type DoomedLink } from './delete-links.js';
import { LazySocket, openOffLoop } from './lazy-socket.js';
import { KernelTunnels } from './kernel-tunnels.js';
import { checkLinkName, checkMac, isLinkName } from './link-name.js';
import {
  createVethRequest,
  decodeLink,
  getLinkRequest,
  listLinksRequest,
  setLinkRequest,
} from './link.js';
import { monitorKernel } from './monitor.js';
import type {
  ConnectionFlow,
  KernelEvent,
  Link,
  LinkAddress,
  LinkChange,
  Netlink,
  Route,
  VethSpec,
} from './port.js';
import { NETLINK_NETFILTER, NETLINK_ROUTE, type Requests } from './request.js';
import {
  addRouteRequest,
  decodeRoute,
  deleteRouteRequest,
  listRoutesRequest,
  replaceRouteRequest,
} from './route.js';
import { isFault, Fault } from '../base/fault.js';
import { openRequestSocket } from './socket.js';

export interface KernelNetlinkOptions {
  readonly log: Log;
}

/**
 * The kernel of the namespace that the process was in when its first call was made. Sockets open on
 * first use; one that is lost is opened again by the next call.
 */
export function createKernelNetlink(options: KernelNetlinkOptions): Netlink {
  return new KernelNetlink(options.log);
}

class KernelNetlink extends KernelTunnels implements Netlink {
  readonly #log: Log;
  readonly #quick: LazySocket;
  readonly #netfilter: LazySocket;
  readonly #slow: LazySocket;
  readonly #slowNetfilter: LazySocket;
  readonly #monitors = new Set<{ close(): void }>();
  #deletions: Promise<unknown> = Promise.resolve();
  readonly #deletionGroup = new DeletionGroup();
  #closed = false;

  constructor(log: Log) {
    super();
    this.#log = log;
    this.#quick = new LazySocket(() => openRequestSocket(NETLINK_ROUTE));
    this.#netfilter = new LazySocket(() => openRequestSocket(NETLINK_NETFILTER));
    this.#slow = new LazySocket(() => openOffLoop(NETLINK_ROUTE, log));
    this.#slowNetfilter = new LazySocket(() => openOffLoop(NETLINK_NETFILTER, log));
  }

  async createVeth(spec: VethSpec): Promise<{ readonly hostIndex: number }> {
    for (const name of [spec.host.name, spec.peer.name]) checkLinkName(name);
    for (const mac of [spec.host.mac, spec.peer.mac]) if (mac !== undefined) checkMac(mac);
    const socket = await this.#quick.get();
    const [echoed] = await socket.request(createVethRequest(spec));
    // Kernels before 6.2 acknowledge without echoing.
    const made = echoed === undefined ? await this.linkByName(spec.host.name) : decodeLink(echoed);
    if (made !== undefined) return { hostIndex: made.index };
    throw new Fault('not-found', `veth ${spec.host.name} went away as soon as it was made`, {
      reason: 'no-such-link',
    });
  }

  async linkByName(name: string): Promise<Link | undefined> {
    if (!isLinkName(name)) return undefined;
    const socket = await this.#quick.get();
    try {
      const messages = await socket.request(getLinkRequest(name));
      return present(messages.map(decodeLink))[0];
    } catch (error) {
      if (isFault(error, 'not-found')) return undefined;
      throw error;
    }
  }

  async links(): Promise<readonly Link[]> {
    const socket = await this.#quick.get();
    return present((await socket.dump(listLinksRequest())).map(decodeLink));
  }

  async setLink(index: number, change: LinkChange): Promise<void> {
    if (change.mac !== undefined) checkMac(change.mac);
    const socket = await this.#quick.get();
    await socket.request(setLinkRequest(index, change));
  }

  /** Calls wait for each other: the link group that they share must never hold links of two. */
  deleteLinks(links: readonly DoomedLink[]): Promise<void> {
    const turn = this.#deletions.then(async () => {
      const lanes = { quick: await this.#quick.get(), slow: await this.#slow.get() };
      return deleteLinksInBatches(lanes, links, this.#deletionGroup);
    });
    this.#deletions = turn.catch(() => undefined);
    return turn;
  }

  async addresses(): Promise<readonly LinkAddress[]> {
    const socket = await this.#quick.get();
    return present((await socket.dump(listAddressesRequest())).map(decodeAddress));
  }

  async addAddress(index: number, address: Address, prefix: number): Promise<void> {
    const socket = await this.#quick.get();
    await socket.request(addAddressRequest(index, address, prefix));
  }

  async routes(family: Family): Promise<readonly Route[]> {
    const socket = await this.#quick.get();
    return present((await socket.dump(listRoutesRequest(family))).map(decodeRoute));
  }

  async replaceRoute(route: Route): Promise<void> {
    const socket = await this.#quick.get();
    await socket.request(replaceRouteRequest(route));
  }

  async addRoute(route: Route): Promise<void> {
    const socket = await this.#quick.get();
    await socket.request(addRouteRequest(route));
  }

  async deleteRoute(route: Route): Promise<void> {
    const socket = await this.#quick.get();
    try {
      await socket.request(deleteRouteRequest(route));
    } catch (error) {
      if (!isFault(error, 'not-found')) throw error;
    }
  }

  async deleteFlows(addresses: readonly Address[]): Promise<number> {
    if (addresses.length === 0) return 0;
    return deleteFlows(await this.#slowNetfilter.get(), await this.#netfilter.get(), addresses);
  }

  async cutFlows(isForbidden: (flow: ConnectionFlow) => boolean): Promise<number> {
    return cutFlows(await this.#slowNetfilter.get(), await this.#netfilter.get(), isForbidden);
  }

  async listFlows(isWanted: (flow: ConnectionFlow) => boolean): Promise<readonly ConnectionFlow[]> {
    return listFlows(await this.#slowNetfilter.get(), isWanted);
  }

  async flowSources(): Promise<ReadonlySet<string>> {
    return flowSources(await this.#slowNetfilter.get());
  }

  monitor(listener: (event: KernelEvent) => void): { close(): void } {
    const monitor = monitorKernel(this.#log, listener);
    this.#monitors.add(monitor);
    return {
      close: () => {
        this.#monitors.delete(monitor);
        monitor.close();
      },
    };
  }

  async close(): Promise<void> {
    if (this.#closed) return;
    this.#closed = true;
    for (const monitor of this.#monitors) monitor.close();
    await this.#deletions;
    const sockets = [this.#quick, this.#netfilter, this.#slow, this.#slowNetfilter];
    for (const socket of sockets) await socket.close();
  }

  protected quickSocket(): Promise<Requests> {
    return this.#quick.get();
  }
}

function present<T>(values: readonly (T | undefined)[]): readonly T[] {
  return values.filter((value) => value !== undefined);
}
