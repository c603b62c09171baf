import type { Address, Family } from '../model/index.js';
import { checkLinkName, checkMac } from './link-name.js';
import { EEXIST, ENETDOWN, ENODEV, faultOfErrno } from './errno.js';
import { asListed, hasDevice, routeKey } from './listed-route.js';
import type { Operation } from './memory-calls.js';
import { MemoryTunnels, sameAddress } from './memory-tunnels.js';
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

/** A flow of the twin's conntrack table. */
export interface MemoryFlow {
  readonly originalSource: Address;
  readonly replySource: Address;
}

/**
 * A kernel without a kernel, for tests: the same answers and faults as the real one for what the
 * port can ask (test/fixtures/netlink-contract.ts holds both to it). It makes no connected routes
 * for addresses. What it inherits is what other programs and Docker do behind our back.
 */
export class MemoryNetlink extends MemoryTunnels implements Netlink {
  /** Flows that deleteFlows finds. */
  readonly flows: MemoryFlow[] = [];

  async createVeth(spec: VethSpec): Promise<{ readonly hostIndex: number }> {
    this.enter('createVeth');
    for (const name of [spec.host.name, spec.peer.name]) {
      checkLinkName(name);
      const what = `cannot create veth ${name}`;
      if (this.findLink(name) !== undefined) throw faultOfErrno(what, EEXIST);
    }
    checkMac(spec.host.mac);
    if (spec.peer.mac !== undefined) checkMac(spec.peer.mac);
    if (spec.host.name === spec.peer.name)
      throw faultOfErrno(`cannot create veth ${spec.host.name}`, EEXIST);
    const common = { kind: 'veth', mtu: spec.mtu };
    const peer = this.addLink({ ...common, name: spec.peer.name, ...macOf(spec.peer.mac) });
    const host = this.addLink({ ...common, name: spec.host.name, mac: spec.host.mac, up: true });
    this.peersTable.set(host.index, peer.index).set(peer.index, host.index);
    this.changeLink(host.index, {});
    return { hostIndex: host.index };
  }

  async linkByName(name: string): Promise<Link | undefined> {
    this.enter('linkByName');
    return this.findLink(name);
  }

  async links(): Promise<readonly Link[]> {
    this.enter('links');
    return [...this.linksTable.values()];
  }

  async setLink(index: number, change: LinkChange): Promise<void> {
    this.enter('setLink');
    if (!this.linksTable.has(index)) throw faultOfErrno(`cannot change link ${index}`, ENODEV);
    this.changeLink(index, change);
  }

  async deleteLinks(
    links: readonly { readonly index: number; readonly name: string }[],
  ): Promise<void> {
    this.enter('deleteLinks');
    for (const { index, name } of links) {
      if (this.linksTable.get(index)?.name === name) this.removeLink(name);
    }
  }

  async addresses(): Promise<readonly LinkAddress[]> {
    this.enter('addresses');
    return [...this.addressesTable];
  }

  async addAddress(index: number, address: Address, prefix: number): Promise<void> {
    this.enter('addAddress');
    const what = `cannot add ${address}/${prefix}`;
    if (!this.linksTable.has(index)) throw faultOfErrno(what, ENODEV);
    const entry: LinkAddress = { index, address, prefix };
    if (this.addressesTable.some((other) => sameAddress(other, entry)))
      throw faultOfErrno(what, EEXIST);
    this.addressesTable.push(entry);
    this.emit({ type: 'address', address: entry, removed: false });
  }

  async routes(family: Family): Promise<readonly Route[]> {
    this.enter('routes');
    return [...this.routesTable.values()].filter((route) => route.destination.family === family);
  }

  async replaceRoute(route: Route): Promise<void> {
    await this.#setRoute('replaceRoute', route);
  }

  async #setRoute(operation: Operation, route: Route): Promise<void> {
    this.enter(operation);
    const what = `cannot set route ${route.destination}`;
    if (hasDevice(route.type)) {
      const link = this.linksTable.get(route.interfaceIndex ?? 0);
      if (link === undefined) throw faultOfErrno(what, ENODEV);
      if (!link.up) throw faultOfErrno(what, ENETDOWN);
    }
    const listed = asListed(route);
    this.routesTable.set(routeKey(route), listed);
    this.emit({ type: 'route', route: listed, removed: false });
  }

  async addRoute(route: Route): Promise<void> {
    if (this.routesTable.has(routeKey(route))) {
      this.enter('addRoute');
      throw faultOfErrno(`cannot set route ${route.destination}`, EEXIST);
    }
    await this.#setRoute('addRoute', route);
  }

  async deleteRoute(route: Route): Promise<void> {
    this.enter('deleteRoute');
    const found = this.routesTable.get(routeKey(route));
    if (found === undefined || found.protocol !== route.protocol) return;
    const elsewhere =
      route.interfaceIndex !== undefined &&
      hasDevice(route.type) &&
      found.interfaceIndex !== route.interfaceIndex;
    if (!elsewhere) this.dropRoutes((other) => other === found);
  }

  async deleteFlows(addresses: readonly Address[]): Promise<number> {
    this.enter('deleteFlows');
    const before = this.flows.length;
    const kept = this.flows.filter(
      (flow) =>
        !addresses.some(
          (address) => address.equals(flow.originalSource) || address.equals(flow.replySource),
        ),
    );
    this.flows.splice(0, before, ...kept);
    return before - kept.length;
  }

  async cutFlows(isForbidden: (flow: ConnectionFlow) => boolean): Promise<number> {
    this.enter('cutFlows');
    const kept = this.flows.filter(
      ({ originalSource: source, replySource: destination }) =>
        !isForbidden({ source, destination, protocol: 17 }),
    );
    return this.flows.splice(0, this.flows.length, ...kept).length - kept.length;
  }

  async listFlows(isWanted: (flow: ConnectionFlow) => boolean): Promise<readonly ConnectionFlow[]> {
    this.enter('listFlows');
    return this.flows
      .map(({ originalSource, replySource }) => ({
        ...{ source: originalSource, destination: replySource, protocol: 17 },
      }))
      .filter(isWanted);
  }

  async flowSources(): Promise<ReadonlySet<string>> {
    this.enter('flowSources');
    const sources = this.flows.flatMap((flow) => [flow.originalSource, flow.replySource]);
    return new Set(sources.map(String));
  }

  monitor(listener: (event: KernelEvent) => void): { close(): void } {
    this.listeners.add(listener);
    queueMicrotask(() => this.listeners.has(listener) && listener({ type: 'overrun' }));
    return { close: () => void this.listeners.delete(listener) };
  }

  async close(): Promise<void> {
    this.closed = true;
    this.listeners.clear();
  }
}

export function createMemoryNetlink(): MemoryNetlink {
  return new MemoryNetlink();
}

function macOf(mac: string | undefined): { mac?: string } {
  return mac === undefined ? {} : { mac };
}
