import { Fault } from '../base/fault.js';
import { invariant } from '../base/invariant.js';
import { bitsOf, type Address } from './address.js';
import type { Cidr } from './cidr.js';

/** Who holds one or more addresses of a block (datamodel §1.17). */
export interface BlockAttribute {
  readonly handle: string | undefined;
  /** Free-form owner attributes: `node`, ours also `host`, `mac`, `timestamp`. */
  readonly secondary: Readonly<Record<string, string>>;
  /** Set while a released address cools down: it counts as taken. */
  readonly releasedAt?: string;
  /** The exact JSON text, so that a rewrite of the block keeps what it does not understand. */
  readonly text: string;
}

/** An IPAM block as a value. `allocations[ordinal]` is an index into `attributes`, or null when free. */
export interface Block {
  readonly cidr: Cidr;
  /** `host:<node>`, `virtual:<name>`, or null when nobody owns the block. */
  readonly affinity: string | null;
  /** RFC 3339; empty when the writer was too old to set it. */
  readonly claimTime: string;
  readonly allocations: readonly (number | null)[];
  /** Free ordinals, longest free first. */
  readonly unallocated: readonly number[];
  readonly attributes: readonly BlockAttribute[];
  readonly sequenceNumber: bigint;
  readonly sequenceNumbers: ReadonlyMap<number, bigint>;
  /** Members this program does not know, as JSON text `"name":value`. */
  readonly unknown: readonly string[];
}

export const hostAffinity = (node: string): string => `host:${node}`;

/** A fresh block: all free, the sequence number starting at the creation time in nanoseconds, as Calico does. */
export function newBlock(cidr: Cidr, affinity: string, nowMs: number): Block {
  const size = 1 << (bitsOf(cidr.family) - cidr.prefix);
  return {
    cidr,
    affinity,
    claimTime: new Date(nowMs).toISOString().replace(/\.\d+Z$/, 'Z'),
    allocations: Array.from({ length: size }, () => null),
    unallocated: Array.from({ length: size }, (_, ordinal) => ordinal),
    attributes: [],
    sequenceNumber: BigInt(nowMs) * 1_000_000n,
    sequenceNumbers: new Map(),
    unknown: [],
  };
}

/** The holder of an address, or undefined when the slot is free. */
export function holderOf(block: Block, address: Address): BlockAttribute | undefined {
  const index = block.allocations[block.cidr.ordinalOf(address)];
  return index === null || index === undefined ? undefined : block.attributes[index];
}

export function isEmpty(block: Block): boolean {
  return block.unallocated.length === block.allocations.length;
}

/** Number of taken slots, cooling ones included. */
export function usedOf(block: Block): number {
  return block.allocations.length - block.unallocated.length;
}

/** Every taken address with its holder. */
export function* heldAddresses(
  block: Block,
): Generator<{ address: Address; holder: BlockAttribute }> {
  for (const [ordinal, index] of block.allocations.entries()) {
    const holder = index === null ? undefined : block.attributes[index];
    if (holder !== undefined) yield { address: block.cidr.addressAt(ordinal), holder };
  }
}

/**
 * Several changes of one block that become one write (datamodel §2.2, §2.3): the sequence number of
 * each slot is the block's before the write, and the write raises the block's by one.
 * Invariants: `free` and the null slots are the same set; every attribute is used after `finish`.
 */
export class BlockEdit {
  readonly #block: Block;
  readonly #allocations: (number | null)[];
  #free: number[];
  readonly #attributes: BlockAttribute[];
  readonly #sequenceNumbers: Map<number, bigint>;
  #affinity: string | null;
  #claimTime: string;

  constructor(block: Block) {
    this.#block = block;
    this.#allocations = [...block.allocations];
    this.#free = [...block.unallocated];
    this.#attributes = [...block.attributes];
    this.#sequenceNumbers = new Map(block.sequenceNumbers);
    this.#affinity = block.affinity;
    this.#claimTime = block.claimTime;
  }

  /** Takes the longest-free address that `usable` admits; undefined when there is none. */
  claimNext(attribute: BlockAttribute, usable: (address: Address) => boolean): Address | undefined {
    const at = this.#free.findIndex((ordinal) => usable(this.#block.cidr.addressAt(ordinal)));
    const ordinal = this.#free[at];
    if (ordinal === undefined) return undefined;
    this.#free.splice(at, 1);
    this.#take(ordinal, attribute);
    return this.#block.cidr.addressAt(ordinal);
  }

  /** Takes this address; answers the holder instead when the slot is taken. */
  claim(address: Address, attribute: BlockAttribute): BlockAttribute | undefined {
    const ordinal = this.#block.cidr.ordinalOf(address);
    const holder = this.holderOf(address);
    if (holder !== undefined) return holder;
    const at = this.#free.indexOf(ordinal);
    if (at < 0)
      throw new Fault(
        'corrupt',
        `block ${this.#block.cidr}: ${address} is neither taken nor in the free list`,
      );
    this.#free.splice(at, 1);
    this.#take(ordinal, attribute);
    return undefined;
  }

  holderOf(address: Address): BlockAttribute | undefined {
    const index = this.#allocations[this.#block.cidr.ordinalOf(address)];
    return index === null || index === undefined ? undefined : this.#attributes[index];
  }

  /** Frees the slot (to the end of the queue), or lets it cool down when `cooling` is given. */
  release(address: Address, cooling?: BlockAttribute): void {
    const ordinal = this.#block.cidr.ordinalOf(address);
    if (this.#allocations[ordinal] === null) return;
    if (cooling !== undefined) {
      this.#take(ordinal, cooling);
      return;
    }
    this.#allocations[ordinal] = null;
    this.#sequenceNumbers.delete(ordinal);
    this.#free.push(ordinal);
  }

  /** Frees every slot whose cool-down began before `releasedBeforeMs`, in ascending order (Calico ≥ 3.33). */
  collectCooled(releasedBeforeMs: number): void {
    for (const [ordinal, index] of this.#allocations.entries()) {
      const releasedAt = index === null ? undefined : this.#attributes[index]?.releasedAt;
      if (releasedAt !== undefined && Date.parse(releasedAt) <= releasedBeforeMs) {
        this.release(this.#block.cidr.addressAt(ordinal));
      }
    }
  }

  setAffinity(affinity: string | null, claimTime: string): void {
    this.#affinity = affinity;
    this.#claimTime = claimTime;
  }

  get freeCount(): number {
    return this.#free.length;
  }

  finish(): Block {
    const attributes: BlockAttribute[] = [];
    const moved = new Map<number, number>();
    const allocations = this.#allocations.map((index) => {
      if (index === null) return null;
      let to = moved.get(index);
      if (to === undefined) {
        const attribute = this.#attributes[index];
        invariant(
          attribute !== undefined,
          `block ${this.#block.cidr} refers to attribute ${index}`,
        );
        to = attributes.push(attribute) - 1;
        moved.set(index, to);
      }
      return to;
    });
    return {
      cidr: this.#block.cidr,
      affinity: this.#affinity,
      claimTime: this.#claimTime,
      allocations,
      unallocated: this.#free,
      attributes,
      sequenceNumber: this.#block.sequenceNumber + 1n,
      sequenceNumbers: this.#sequenceNumbers,
      unknown: this.#block.unknown,
    };
  }

  #take(ordinal: number, attribute: BlockAttribute): void {
    const known = this.#attributes.findIndex((other) => other.text === attribute.text);
    this.#allocations[ordinal] = known >= 0 ? known : this.#attributes.push(attribute) - 1;
    this.#sequenceNumbers.set(ordinal, this.#block.sequenceNumber);
  }
}
