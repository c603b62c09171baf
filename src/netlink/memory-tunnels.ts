import type { Address } from '../model/index.js';
import { EEXIST, ENODEV, EOPNOTSUPP, faultOfErrno } from './errno.js';
import { checkLinkName, checkMac } from './link-name.js';
import { MemoryKernel } from './memory-kernel.js';
import type { MemoryNeighbour } from './memory-neighbours.js';
import type { ForwardingEntry, LinkAddress, Neighbour, TunnelNetlink, VxlanSpec } from './port.js';

/** Tunnels of a kernel that is only memory. */
export class MemoryTunnels extends MemoryKernel implements TunnelNetlink {
  /** False: the kernel has no IPIP module. */
  hasIpip = true;

  async createVxlan(spec: VxlanSpec): Promise<{ readonly index: number }> {
    this.enter('createVxlan');
    const { name, mac, mtu, ...vxlan } = spec;
    checkLinkName(name);
    checkMac(mac);
    const taken = [...this.linksTable.values()].some(
      (link) =>
        link.name === name ||
        (link.vxlan?.id === spec.id &&
          link.vxlan.port === spec.port &&
          link.vxlan.local?.family === spec.local?.family),
    );
    if (taken) throw faultOfErrno(`cannot create VXLAN device ${name}`, EEXIST);
    return { index: this.addLink({ name, kind: 'vxlan', mac, mtu, up: true, vxlan }).index };
  }

  async createIpip(name: string): Promise<void> {
    this.enter('createIpip');
    checkLinkName(name);
    const what = `cannot create IPIP device ${name}`;
    if (!this.hasIpip) throw faultOfErrno(what, EOPNOTSUPP);
    if (this.findLink(name) !== undefined) throw faultOfErrno(what, EEXIST);
    this.addLink({ name, kind: 'ipip', mac: '00:00:00:00' });
  }

  async removeAddress(index: number, address: Address, prefix: number): Promise<void> {
    this.enter('removeAddress');
    const at = this.addressesTable.findIndex((other) =>
      sameAddress(other, { index, address, prefix }),
    );
    const [gone] = at < 0 ? [] : this.addressesTable.splice(at, 1);
    if (gone !== undefined) this.emit({ type: 'address', address: gone, removed: true });
  }

  async tunnelEntries(index: number): Promise<{
    readonly neighbours: readonly Neighbour[];
    readonly forwarding: readonly ForwardingEntry[];
  }> {
    this.enter('tunnelEntries');
    return this.entries.of(index);
  }

  async replaceNeighbour(entry: MemoryNeighbour): Promise<void> {
    this.enter('replaceNeighbour');
    checkMac(entry.mac);
    this.#requireLink(entry.index, `cannot set neighbour ${entry.address}`);
    this.entries.putNeighbour(entry);
  }

  async deleteNeighbour(entry: MemoryNeighbour): Promise<void> {
    this.enter('deleteNeighbour');
    this.entries.dropNeighbour(entry);
  }

  async replaceForwarding(entry: ForwardingEntry & { readonly index: number }): Promise<void> {
    this.enter('replaceForwarding');
    checkMac(entry.mac);
    this.#requireLink(entry.index, `cannot set the forwarding entry of ${entry.mac}`);
    this.entries.putForwarding(entry);
  }

  async deleteForwarding(entry: ForwardingEntry & { readonly index: number }): Promise<void> {
    this.enter('deleteForwarding');
    this.entries.dropForwarding(entry);
  }

  #requireLink(index: number, what: string): void {
    if (!this.linksTable.has(index)) throw faultOfErrno(what, ENODEV);
  }
}

export function sameAddress(one: LinkAddress, other: LinkAddress): boolean {
  return (
    one.index === other.index && one.prefix === other.prefix && one.address.equals(other.address)
  );
}
