import { Fault } from '../base/fault.js';
import type { Address, Family } from '../model/index.js';
import { checkLinkName, checkMac } from './link-name.js';
import { EEXIST, ENETDOWN, ENODEV, faultOfErrno } from './errno.js';
import { asListed, hasDevice, routeKey } from './listed-route.js';
import type { KernelEvent, Link, LinkAddress, Netlink, Route, VethSpec } from './port.js';

/** A flow of the twin's conntrack table. */
export interface MemoryFlow {
  readonly originalSource: Address;
  readonly replySource: Address;
}

export interface MemoryNeighbour {
  readonly index: number;
  readonly address: Address;
  readonly mac: string;
}

type Operation = Exclude<keyof Netlink, 'monitor' | 'close'>;

/**
 * A kernel without a kernel, for tests: the same answers and faults as the real one for what the
 * port can ask (test/fixtures/netlink-contract.ts holds both to it). It makes no connected routes
 * for addresses. Further methods do what other programs and Docker do behind our back.
 */
export class MemoryNetlink implements Netlink {
  /** Entries written by replaceNeighbour, in order of writing. */
  readonly neighbours: MemoryNeighbour[] = [];
  /** Flows that deleteFlows finds. */
  readonly flows: MemoryFlow[] = [];
  /** Names of the port's methods in order of call. */
  readonly calls: Operation[] = [];
  readonly #links = new Map<number, Link>();
  readonly #peers = new Map<number, number>();
  readonly #addresses: LinkAddress[] = [];
  readonly #routes = new Map<string, Route>();
  readonly #listeners = new Set<(event: KernelEvent) => void>();
  readonly #failures = new Map<Operation, Fault[]>();
  #nextIndex = 1;
  #closed = false;

  constructor() {
    this.addLink({ name: 'lo', kind: '', mac: '00:00:00:00:00:00', mtu: 65_536, up: true });
  }

  async createVeth(spec: VethSpec): Promise<{ readonly hostIndex: number }> {
    this.#enter('createVeth');
    for (const name of [spec.host.name, spec.peer.name]) {
      checkLinkName(name);
      if (this.#byName(name) !== undefined)
        throw faultOfErrno(`cannot create veth ${name}`, EEXIST);
    }
    checkMac(spec.host.mac);
    if (spec.peer.mac !== undefined) checkMac(spec.peer.mac);
    if (spec.host.name === spec.peer.name)
      throw faultOfErrno(`cannot create veth ${spec.host.name}`, EEXIST);
    const common = { kind: 'veth', mtu: spec.mtu };
    const peer = this.addLink({ ...common, name: spec.peer.name, ...macOf(spec.peer.mac) });
    const host = this.addLink({ ...common, name: spec.host.name, mac: spec.host.mac, up: true });
    this.#peers.set(host.index, peer.index).set(peer.index, host.index);
    this.#changeLink(host.index, {});
    return { hostIndex: host.index };
  }

  async linkByName(name: string): Promise<Link | undefined> {
    this.#enter('linkByName');
    return this.#byName(name);
  }

  async links(): Promise<readonly Link[]> {
    this.#enter('links');
    return [...this.#links.values()];
  }

  async setLink(
    index: number,
    change: { up?: boolean; group?: number; mtu?: number },
  ): Promise<void> {
    this.#enter('setLink');
    if (!this.#links.has(index)) throw faultOfErrno(`cannot change link ${index}`, ENODEV);
    this.#changeLink(index, change);
  }

  async deleteLinks(
    links: readonly { readonly index: number; readonly name: string }[],
  ): Promise<void> {
    this.#enter('deleteLinks');
    for (const { index, name } of links) {
      if (this.#links.get(index)?.name === name) this.removeLink(name);
    }
  }

  async addresses(): Promise<readonly LinkAddress[]> {
    this.#enter('addresses');
    return [...this.#addresses];
  }

  async addAddress(index: number, address: Address, prefix: number): Promise<void> {
    this.#enter('addAddress');
    const what = `cannot add ${address}/${prefix}`;
    if (!this.#links.has(index)) throw faultOfErrno(what, ENODEV);
    const entry: LinkAddress = { index, address, prefix };
    if (this.#addresses.some((other) => sameAddress(other, entry)))
      throw faultOfErrno(what, EEXIST);
    this.#addresses.push(entry);
    this.#emit({ type: 'address', address: entry, removed: false });
  }

  async routes(family: Family): Promise<readonly Route[]> {
    this.#enter('routes');
    return [...this.#routes.values()].filter((route) => route.destination.family === family);
  }

  async replaceRoute(route: Route): Promise<void> {
    this.#enter('replaceRoute');
    const what = `cannot set route ${route.destination}`;
    if (hasDevice(route.type)) {
      const link = this.#links.get(route.interfaceIndex ?? 0);
      if (link === undefined) throw faultOfErrno(what, ENODEV);
      if (!link.up) throw faultOfErrno(what, ENETDOWN);
    }
    const listed = asListed(route);
    this.#routes.set(routeKey(route), listed);
    this.#emit({ type: 'route', route: listed, removed: false });
  }

  async deleteRoute(route: Route): Promise<void> {
    this.#enter('deleteRoute');
    const found = this.#routes.get(routeKey(route));
    if (found === undefined || found.protocol !== route.protocol) return;
    const elsewhere =
      route.interfaceIndex !== undefined &&
      hasDevice(route.type) &&
      found.interfaceIndex !== route.interfaceIndex;
    if (!elsewhere) this.#dropRoutes((other) => other === found);
  }

  async replaceNeighbour(entry: MemoryNeighbour): Promise<void> {
    this.#enter('replaceNeighbour');
    checkMac(entry.mac);
    if (!this.#links.has(entry.index))
      throw faultOfErrno(`cannot set neighbour ${entry.address}`, ENODEV);
    const at = this.neighbours.findIndex(
      (other) => other.index === entry.index && other.address.equals(entry.address),
    );
    this.neighbours.splice(at < 0 ? this.neighbours.length : at, 1, entry);
  }

  async deleteFlows(addresses: readonly Address[]): Promise<number> {
    this.#enter('deleteFlows');
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

  async flowSources(): Promise<ReadonlySet<string>> {
    this.#enter('flowSources');
    const sources = this.flows.flatMap((flow) => [flow.originalSource, flow.replySource]);
    return new Set(sources.map(String));
  }

  monitor(listener: (event: KernelEvent) => void): { close(): void } {
    this.#listeners.add(listener);
    return { close: () => void this.#listeners.delete(listener) };
  }

  async close(): Promise<void> {
    this.#closed = true;
    this.#listeners.clear();
  }

  // What the port cannot do and others can.

  /** A link that another program made; down unless told. */
  addLink(link: { name: string; kind?: string; mac?: string; mtu?: number; up?: boolean }): Link {
    const index = this.#nextIndex;
    this.#nextIndex += 1;
    const up = link.up ?? false;
    const made: Link = {
      index,
      name: link.name,
      kind: link.kind ?? 'dummy',
      mac: link.mac ?? `02:00:00:00:${hexByte(index >> 8)}:${hexByte(index)}`,
      mtu: link.mtu ?? 1500,
      up,
      running: up && link.kind !== 'veth',
      group: 0,
    };
    this.#links.set(index, made);
    this.#emit({ type: 'link', link: made, removed: false });
    return made;
  }

  /** The link and its peer go, with their addresses and routes; also a container's namespace ending. */
  removeLink(name: string): void {
    const link = this.#byName(name);
    if (link === undefined) return;
    const peer = this.#peers.get(link.index);
    for (const index of peer === undefined ? [link.index] : [link.index, peer]) {
      this.#dropLink(index);
    }
  }

  /** The peer goes to a container's namespace, comes up there, and is seen here no more. */
  moveAway(name: string): void {
    const link = this.#byName(name);
    if (link === undefined) throw faultOfErrno(`cannot move ${name}`, ENODEV);
    const host = this.#peers.get(link.index);
    this.#dropLink(link.index);
    if (host !== undefined) this.#update(host, { running: this.#links.get(host)?.up ?? false });
  }

  renameLink(name: string, to: string): void {
    const link = this.#byName(name);
    if (link === undefined) throw faultOfErrno(`cannot rename ${name}`, ENODEV);
    this.#update(link.index, { name: to });
  }

  /** Takes a route of this destination away, whoever made it. */
  removeRoute(destination: string): void {
    this.#dropRoutes((route) => route.destination.toString() === destination);
  }

  /** Tells every monitor that it missed events. */
  overrun(): void {
    this.#emit({ type: 'overrun' });
  }

  /** The next call of this method rejects with the fault; several are used up in order. */
  failNext(operation: Operation, fault: Fault): void {
    this.#failures.set(operation, [...(this.#failures.get(operation) ?? []), fault]);
  }

  #enter(operation: Operation): void {
    this.calls.push(operation);
    if (this.#closed)
      throw new Fault('unavailable', 'the netlink socket is closed', { reason: 'closed' });
    const fault = this.#failures.get(operation)?.shift();
    if (fault !== undefined) throw fault;
  }

  #byName(name: string): Link | undefined {
    return [...this.#links.values()].find((link) => link.name === name);
  }

  #changeLink(index: number, change: { up?: boolean; group?: number; mtu?: number }): void {
    const { up, group, mtu } = change;
    this.#update(index, {
      ...(up === undefined ? {} : { up }),
      ...(group === undefined ? {} : { group }),
      ...(mtu === undefined ? {} : { mtu }),
    });
    if (up === false) this.#dropRoutes((route) => route.interfaceIndex === index);
    const peer = this.#peers.get(index);
    const both = [index, ...(peer === undefined ? [] : [peer])];
    const carrier = both.every((end) => this.#links.get(end)?.up === true);
    if (peer !== undefined) for (const end of both) this.#update(end, { running: carrier });
    else if (up !== undefined) this.#update(index, { running: up });
  }

  #update(index: number, change: Partial<Link>): void {
    const link = this.#links.get(index);
    if (link === undefined) return;
    const changed = { ...link, ...change };
    this.#links.set(index, changed);
    this.#emit({ type: 'link', link: changed, removed: false });
  }

  #dropLink(index: number): void {
    const link = this.#links.get(index);
    if (link === undefined) return;
    this.#dropRoutes((route) => route.interfaceIndex === index);
    for (const address of this.#addresses.filter((entry) => entry.index === index)) {
      this.#addresses.splice(this.#addresses.indexOf(address), 1);
      this.#emit({ type: 'address', address, removed: true });
    }
    this.#links.delete(index);
    const peer = this.#peers.get(index);
    this.#peers.delete(index);
    if (peer !== undefined) this.#peers.delete(peer);
    this.#emit({ type: 'link', link: { ...link, up: false, running: false }, removed: true });
  }

  #dropRoutes(matches: (route: Route) => boolean): void {
    for (const route of [...this.#routes.values()].filter(matches)) {
      this.#routes.delete(routeKey(route));
      this.#emit({ type: 'route', route, removed: true });
    }
  }

  /** As from the kernel: after the call that caused it, never within. */
  #emit(event: KernelEvent): void {
    for (const listener of this.#listeners) {
      queueMicrotask(() => this.#listeners.has(listener) && listener(event));
    }
  }
}

export function createMemoryNetlink(): MemoryNetlink {
  return new MemoryNetlink();
}

function macOf(mac: string | undefined): { mac?: string } {
  return mac === undefined ? {} : { mac };
}

function hexByte(value: number): string {
  return (value & 255).toString(16).padStart(2, '0');
}

function sameAddress(one: LinkAddress, other: LinkAddress): boolean {
  return (
    one.index === other.index && one.prefix === other.prefix && one.address.equals(other.address)
  );
}
