import { tunnelKinds, tunnels, type Address, type Node } from '../../model/index.js';
import type { KernelEvent, Link } from '../../netlink/index.js';
import type { HostLinks } from './desired-device.js';

const DEVICES: ReadonlySet<string> = new Set(tunnelKinds.map((kind) => tunnels[kind].device));

/** Which kernel events concern tunnels: their own devices, and the interfaces that lead to other hosts. */
export class LinkWatch {
  #seen = new Map<number, string>();
  #indexes: ReadonlySet<number> = new Set();
  #own: Node | undefined;

  /** From now on what differs from this concerns us. */
  watch(host: HostLinks, own: Node | undefined, indexes: readonly number[]): void {
    this.#seen = new Map(host.links.map((link) => [link.index, traits(link)]));
    this.#indexes = new Set(indexes);
    this.#own = own;
  }

  concerns(event: KernelEvent): boolean {
    switch (event.type) {
      case 'overrun':
        return true;
      case 'route':
        return false;
      case 'address': {
        const { index, address } = event.address;
        return this.#indexes.has(index) || this.#isOwn(address);
      }
      case 'link': {
        const { link, removed } = event;
        if (!DEVICES.has(link.name) && !this.#indexes.has(link.index) && !leadsOut(link))
          return false;
        return removed || this.#seen.get(link.index) !== traits(link);
      }
    }
  }

  #isOwn(address: Address): boolean {
    return [this.#own?.ipv4Address, this.#own?.ipv6Address].some(
      (text) => text?.split('/', 1)[0] === String(address),
    );
  }
}

function leadsOut({ name }: Link): boolean {
  return /^(?:en|wl|ww|sl|ib|eth|bond|br|team)/.test(name);
}

function traits({ name, mtu, mac, up }: Link): string {
  return `${name} ${mtu} ${mac} ${up}`;
}
