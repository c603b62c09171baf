import { Fault, isFault } from '../base/fault.js';
import { families, type Address } from '../model/index.js';
import { removeAddressRequest } from './address.js';
import { checkLinkName, checkMac } from './link-name.js';
import { decodeLink, getLinkRequest } from './link.js';
import {
  decodeForwarding,
  decodeNeighbour,
  deleteForwardingRequest,
  deleteNeighbourRequest,
  listNeighboursRequest,
  replaceForwardingRequest,
  replaceNeighbourRequest,
} from './neighbour.js';
import type { ForwardingEntry, Neighbour, TunnelNetlink, VxlanSpec } from './port.js';
import type { NetlinkRequest, Requests } from './request.js';
import { createIpipRequest, createVxlanRequest } from './tunnel-link.js';

/** The part of the kernel's netlink that tunnels need. */
export abstract class KernelTunnels implements TunnelNetlink {
  /** The socket for what the kernel answers at once. */
  protected abstract quickSocket(): Promise<Requests>;

  async createVxlan(spec: VxlanSpec): Promise<{ readonly index: number }> {
    checkLinkName(spec.name);
    checkMac(spec.mac);
    const socket = await this.quickSocket();
    const [echoed] = await socket.request(createVxlanRequest(spec));
    // Kernels before 6.2 acknowledge without echoing.
    const message = echoed ?? (await socket.request(getLinkRequest(spec.name)))[0];
    const made = message === undefined ? undefined : decodeLink(message);
    if (made !== undefined) return { index: made.index };
    throw new Fault('not-found', `VXLAN device ${spec.name} went away as soon as it was made`, {
      reason: 'no-such-link',
    });
  }

  async createIpip(name: string): Promise<void> {
    checkLinkName(name);
    await this.#request(createIpipRequest(name));
  }

  async removeAddress(index: number, address: Address, prefix: number): Promise<void> {
    await this.#remove(removeAddressRequest(index, address, prefix));
  }

  async tunnelEntries(index: number): Promise<{
    readonly neighbours: readonly Neighbour[];
    readonly forwarding: readonly ForwardingEntry[];
  }> {
    const socket = await this.quickSocket();
    const neighbours: Neighbour[] = [];
    for (const family of families) {
      for (const message of await socket.dump(listNeighboursRequest(family))) {
        const entry = decodeNeighbour(message, index);
        if (entry !== undefined) neighbours.push(entry);
      }
    }
    const forwarding = (await socket.dump(listNeighboursRequest('bridge'))).flatMap(
      (message) => decodeForwarding(message, index) ?? [],
    );
    return { neighbours, forwarding };
  }

  async replaceNeighbour(entry: Neighbour & { readonly index: number }): Promise<void> {
    checkMac(entry.mac);
    await this.#request(replaceNeighbourRequest(entry.index, entry));
  }

  async deleteNeighbour(entry: Neighbour & { readonly index: number }): Promise<void> {
    checkMac(entry.mac);
    await this.#remove(deleteNeighbourRequest(entry.index, entry));
  }

  async replaceForwarding(entry: ForwardingEntry & { readonly index: number }): Promise<void> {
    checkMac(entry.mac);
    await this.#request(replaceForwardingRequest(entry.index, entry));
  }

  async deleteForwarding(entry: ForwardingEntry & { readonly index: number }): Promise<void> {
    checkMac(entry.mac);
    await this.#remove(deleteForwardingRequest(entry.index, entry));
  }

  async #request(request: NetlinkRequest): Promise<void> {
    await (await this.quickSocket()).request(request);
  }

  async #remove(request: NetlinkRequest): Promise<void> {
    try {
      await this.#request(request);
    } catch (error) {
      if (!isFault(error, 'not-found')) throw error;
    }
  }
}
