import { Cidr, type Address, type Family } from '../../model/index.js';

interface Claim {
  readonly source: string;
  readonly node: string;
  /** Of two that claim one address the higher wins: it was written later. */
  readonly rank: bigint;
}

interface Claimed {
  readonly address: Address;
  /** Of different sources; hardly ever more than one. */
  claims: readonly Claim[];
}

/**
 * Which host has which single address, and which of them lie in which block. Blocks come in few sizes, so that a
 * block's addresses, and an address's block, are found by its size without walking.
 */
export class Claims {
  readonly #byAddress = new Map<string, Claimed>();
  /** Prefix lengths of blocks, by family. There are few; one that is used no more does no harm. */
  readonly #sizes: Readonly<Record<Family, Set<number>>> = { 4: new Set(), 6: new Set() };
  /** Network of a size in use → addresses in it. */
  readonly #inside = new Map<string, Set<string>>();

  /** `source` is the object that says so. True when the address has another holder now. */
  add(address: Address, source: string, node: string, rank: bigint): boolean {
    const key = String(address);
    const before = this.holderOf(key);
    let claimed = this.#byAddress.get(key);
    if (claimed === undefined) {
      claimed = { address, claims: [] };
      this.#byAddress.set(key, claimed);
      for (const prefix of this.#sizes[address.family]) this.#put(address, prefix);
    }
    const claim = { source, node, rank };
    const others = without(claimed.claims, source);
    // A literal of one is as small as it can be; there is one for each address of the cluster.
    claimed.claims = others.length === 0 ? [claim] : [...others, claim];
    return this.holderOf(key) !== before;
  }

  remove(address: Address, source: string): boolean {
    const key = String(address);
    const before = this.holderOf(key);
    const claimed = this.#byAddress.get(key);
    if (claimed?.claims.some((claim) => claim.source === source) !== true) return false;
    claimed.claims = without(claimed.claims, source);
    if (claimed.claims.length === 0) {
      this.#byAddress.delete(key);
      for (const prefix of this.#sizes[address.family]) {
        const network = String(Cidr.of(address, prefix));
        const inside = this.#inside.get(network);
        inside?.delete(key);
        if (inside?.size === 0) this.#inside.delete(network);
      }
    }
    return this.holderOf(key) !== before;
  }

  /** The host that has the address; of several that say so the one that was written last. */
  holderOf(address: string): string | undefined {
    let best: Claim | undefined;
    for (const claim of this.#byAddress.get(address)?.claims ?? []) {
      if (best === undefined || isAbove(claim, best)) best = claim;
    }
    return best?.node;
  }

  /** A block of this size came. */
  useSize({ family, prefix }: Cidr): void {
    if (this.#sizes[family].has(prefix)) return;
    this.#sizes[family].add(prefix);
    for (const { address } of this.#byAddress.values()) {
      if (address.family === family) this.#put(address, prefix);
    }
  }

  /** Addresses in a block of a size in use. */
  inside(block: Cidr): Address[] {
    return [...(this.#inside.get(String(block)) ?? [])].flatMap(
      (key) => this.#byAddress.get(key)?.address ?? [],
    );
  }

  /** Networks that could be the address' block, the smallest first. */
  enclosing(address: Address): Cidr[] {
    return [...this.#sizes[address.family]]
      .sort((left, right) => right - left)
      .map((prefix) => Cidr.of(address, prefix));
  }

  #put(address: Address, prefix: number): void {
    const network = String(Cidr.of(address, prefix));
    const inside = this.#inside.get(network);
    if (inside === undefined) this.#inside.set(network, new Set([String(address)]));
    else inside.add(String(address));
  }
}

const without = (claims: readonly Claim[], source: string): readonly Claim[] =>
  claims.filter((claim) => claim.source !== source);

function isAbove(one: Claim, other: Claim): boolean {
  return one.rank === other.rank ? one.node < other.node : one.rank > other.rank;
}
