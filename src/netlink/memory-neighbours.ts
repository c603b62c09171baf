import type { ForwardingEntry, Neighbour } from './port.js';

export interface MemoryNeighbour extends Neighbour {
  readonly index: number;
}
type MemoryForwarding = ForwardingEntry & { readonly index: number };

/** Neighbours and forwarding entries of a kernel that is only memory. */
export class MemoryNeighbours {
  readonly neighbours: MemoryNeighbour[] = [];
  readonly forwarding: MemoryForwarding[] = [];

  of(index: number): {
    readonly neighbours: readonly Neighbour[];
    readonly forwarding: readonly ForwardingEntry[];
  } {
    return {
      neighbours: this.neighbours
        .filter((entry) => entry.index === index)
        .map(({ address, mac }) => ({ address, mac })),
      forwarding: this.forwarding
        .filter((entry) => entry.index === index)
        .map(({ mac, destination }) => ({ mac, destination })),
    };
  }

  putNeighbour(entry: MemoryNeighbour): void {
    put(this.neighbours, entry, (other) => other.address.equals(entry.address));
  }

  dropNeighbour(entry: MemoryNeighbour): void {
    drop(this.neighbours, entry, (other) => other.address.equals(entry.address));
  }

  putForwarding(entry: MemoryForwarding): void {
    put(this.forwarding, entry, (other) => other.mac === entry.mac);
  }

  dropForwarding(entry: MemoryForwarding): void {
    drop(this.forwarding, entry, (other) => other.mac === entry.mac);
  }

  /** The link is gone. */
  forget(index: number): void {
    for (const list of [this.neighbours, this.forwarding] as { index: number }[][]) {
      list.splice(0, list.length, ...list.filter((entry) => entry.index !== index));
    }
  }
}

function put<T extends { readonly index: number }>(
  list: T[],
  entry: T,
  same: (other: T) => boolean,
): void {
  const at = list.findIndex((other) => other.index === entry.index && same(other));
  list.splice(at < 0 ? list.length : at, 1, entry);
}

function drop<T extends { readonly index: number }>(
  list: T[],
  entry: T,
  same: (other: T) => boolean,
): void {
  const at = list.findIndex((other) => other.index === entry.index && same(other));
  if (at >= 0) list.splice(at, 1);
}
