import type { Netlink } from '../../netlink/index.js';
import { sameVtep, type Vtep, type Vteps } from './vteps.js';

/**
 * Neighbours and forwarding entries of one VXLAN device: how it finds the other hosts. The device is wholly ours, so
 * entries that nobody wants go.
 */
export class ForwardingKeeper {
  readonly #netlink: Netlink;
  readonly #vteps: Vteps;
  /** Node → its entries in the kernel. */
  readonly #present = new Map<string, Vtep>();
  #index = 0;

  constructor(netlink: Netlink, vteps: Vteps) {
    this.#netlink = netlink;
    this.#vteps = vteps;
  }

  get count(): number {
    return this.#present.size;
  }

  /** Brings what changed into the device; with `whole`, or for a device that is new to us, everything. */
  async apply(index: number, whole: boolean, self: string): Promise<void> {
    const changed = this.#vteps.takeChanged();
    if (whole || index !== this.#index) {
      this.#index = index;
      await this.#compare(self);
      return;
    }
    for (const node of changed) {
      if (node !== self) await this.#change(node, this.#vteps.get(node));
    }
  }

  /** The device is gone, and its entries with it. */
  forget(): void {
    this.#present.clear();
    this.#index = 0;
  }

  async #change(node: string, vtep: Vtep | undefined): Promise<void> {
    const before = this.#present.get(node);
    if (sameVtep(before, vtep)) return;
    if (before !== undefined) {
      await this.#remove(before);
      this.#present.delete(node);
    }
    if (vtep === undefined) return;
    await this.#netlink.replaceForwarding({
      ...{ index: this.#index, mac: vtep.mac, destination: vtep.host },
    });
    await this.#netlink.replaceNeighbour({
      ...{ index: this.#index, address: vtep.address, mac: vtep.mac },
    });
    this.#present.set(node, vtep);
  }

  async #remove({ address, mac, host }: Vtep): Promise<void> {
    await this.#netlink.deleteNeighbour({ index: this.#index, address, mac });
    await this.#netlink.deleteForwarding({ index: this.#index, mac, destination: host });
  }

  async #compare(self: string): Promise<void> {
    const found = await this.#netlink.tunnelEntries(this.#index);
    const macs = new Map(found.neighbours.map(({ address, mac }) => [String(address), mac]));
    const hosts = new Map(
      found.forwarding.map(({ mac, destination }) => [mac, String(destination)]),
    );
    this.#present.clear();
    const wanted = new Map<string, Vtep>();
    for (const node of this.#vteps.nodes()) {
      const vtep = node === self ? undefined : this.#vteps.get(node);
      if (vtep === undefined) continue;
      wanted.set(node, vtep);
      const there =
        macs.get(String(vtep.address)) === vtep.mac && hosts.get(vtep.mac) === String(vtep.host);
      if (there) this.#present.set(node, vtep);
    }
    await this.#removeStrangers(found, [...wanted.values()]);
    for (const [node, vtep] of wanted) await this.#change(node, vtep);
  }

  async #removeStrangers(
    found: Awaited<ReturnType<Netlink['tunnelEntries']>>,
    wanted: readonly Vtep[],
  ): Promise<void> {
    const index = this.#index;
    const addresses = new Set(wanted.map(({ address }) => String(address)));
    const macs = new Set(wanted.map(({ mac }) => mac));
    for (const entry of found.neighbours) {
      if (!addresses.has(String(entry.address))) {
        await this.#netlink.deleteNeighbour({ index, ...entry });
      }
    }
    for (const entry of found.forwarding) {
      if (!macs.has(entry.mac)) await this.#netlink.deleteForwarding({ index, ...entry });
    }
  }
}
