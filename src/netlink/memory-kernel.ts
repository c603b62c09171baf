import { ENODEV, faultOfErrno } from './errno.js';
import { routeKey } from './listed-route.js';
import { MemoryCalls } from './memory-calls.js';
import { MemoryNeighbours } from './memory-neighbours.js';
import type { KernelEvent, Link, LinkAddress, LinkChange, Route, VxlanTraits } from './port.js';

/**
 * The tables of a kernel that is only memory, and what other programs and Docker do to it behind our
 * back. Telling the listeners is part of each change.
 */
export class MemoryKernel extends MemoryCalls {
  /** Neighbours and forwarding entries of all links. */
  readonly entries = new MemoryNeighbours();
  protected readonly linksTable = new Map<number, Link>();
  /** Index → index of the other end, while both are in this namespace. */
  protected readonly peersTable = new Map<number, number>();
  protected readonly addressesTable: LinkAddress[] = [];
  protected readonly routesTable = new Map<string, Route>();
  protected readonly listeners = new Set<(event: KernelEvent) => void>();
  #nextIndex = 1;

  constructor() {
    super();
    this.addLink({ name: 'lo', kind: '', mac: '00:00:00:00:00:00', mtu: 65_536, up: true });
  }

  /** A link that another program made; down unless told. */
  addLink(link: {
    name: string;
    kind?: string;
    mac?: string;
    mtu?: number;
    up?: boolean;
    vxlan?: VxlanTraits;
  }): Link {
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
      ...(link.vxlan === undefined ? {} : { vxlan: link.vxlan }),
    };
    this.linksTable.set(index, made);
    this.emit({ type: 'link', link: made, removed: false });
    return made;
  }

  /** The link and its peer go, with their addresses and routes; also a container's namespace ending. */
  removeLink(name: string): void {
    const link = this.findLink(name);
    if (link === undefined) return;
    const peer = this.peersTable.get(link.index);
    for (const index of peer === undefined ? [link.index] : [link.index, peer]) {
      this.#dropLink(index);
    }
  }

  /** The peer goes to a container's namespace, comes up there, and is seen here no more. */
  moveAway(name: string): void {
    const link = this.findLink(name);
    if (link === undefined) throw faultOfErrno(`cannot move ${name}`, ENODEV);
    const host = this.peersTable.get(link.index);
    this.#dropLink(link.index);
    if (host !== undefined) this.#update(host, { running: this.linksTable.get(host)?.up ?? false });
  }

  renameLink(name: string, to: string): void {
    const link = this.findLink(name);
    if (link === undefined) throw faultOfErrno(`cannot rename ${name}`, ENODEV);
    this.#update(link.index, { name: to });
  }

  /** Takes a route of this destination away, whoever made it. */
  removeRoute(destination: string): void {
    this.dropRoutes((route) => route.destination.toString() === destination);
  }

  /** Tells every monitor that it missed events. */
  overrun(): void {
    this.emit({ type: 'overrun' });
  }

  protected findLink(name: string): Link | undefined {
    return [...this.linksTable.values()].find((link) => link.name === name);
  }

  protected changeLink(index: number, change: LinkChange): void {
    const { up, group, mtu, mac } = change;
    this.#update(index, {
      ...(up === undefined ? {} : { up }),
      ...(group === undefined ? {} : { group }),
      ...(mtu === undefined ? {} : { mtu }),
      ...(mac === undefined ? {} : { mac }),
    });
    if (up === false) this.dropRoutes((route) => route.interfaceIndex === index);
    const peer = this.peersTable.get(index);
    const both = [index, ...(peer === undefined ? [] : [peer])];
    const carrier = both.every((end) => this.linksTable.get(end)?.up === true);
    if (peer !== undefined) for (const end of both) this.#update(end, { running: carrier });
    else if (up !== undefined) this.#update(index, { running: up });
  }

  #update(index: number, change: Partial<Link>): void {
    const link = this.linksTable.get(index);
    if (link === undefined) return;
    const changed = { ...link, ...change };
    this.linksTable.set(index, changed);
    this.emit({ type: 'link', link: changed, removed: false });
  }

  #dropLink(index: number): void {
    const link = this.linksTable.get(index);
    if (link === undefined) return;
    this.dropRoutes((route) => route.interfaceIndex === index);
    for (const address of this.addressesTable.filter((entry) => entry.index === index)) {
      this.addressesTable.splice(this.addressesTable.indexOf(address), 1);
      this.emit({ type: 'address', address, removed: true });
    }
    this.linksTable.delete(index);
    this.entries.forget(index);
    const peer = this.peersTable.get(index);
    this.peersTable.delete(index);
    if (peer !== undefined) this.peersTable.delete(peer);
    this.emit({ type: 'link', link: { ...link, up: false, running: false }, removed: true });
  }

  protected dropRoutes(matches: (route: Route) => boolean): void {
    for (const route of [...this.routesTable.values()].filter(matches)) {
      this.routesTable.delete(routeKey(route));
      this.emit({ type: 'route', route, removed: true });
    }
  }

  /** As from the kernel: after the call that caused it, never within. */
  protected emit(event: KernelEvent): void {
    for (const listener of this.listeners) {
      queueMicrotask(() => this.listeners.has(listener) && listener(event));
    }
  }
}

function hexByte(value: number): string {
  return (value & 255).toString(16).padStart(2, '0');
}
