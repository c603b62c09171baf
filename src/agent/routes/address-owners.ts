import type { Address } from '../../model/index.js';

/**
 * Which endpoint has an address now. Two may name one address for a moment (a container that is
 * replaced before its predecessor is gone): the newer has it, and gives it back when it goes first.
 */
export class AddressOwners {
  readonly #owners = new Map<string, { readonly address: Address; readonly ids: string[] }>();

  get count(): number {
    return this.#owners.size;
  }

  /** Makes the endpoint the newest owner. True when another endpoint had the address until now. */
  add(address: Address, id: string): boolean {
    const entry = this.#owners.get(String(address)) ?? { address, ids: [] };
    const moved = entry.ids.length > 0 && entry.ids.at(-1) !== id;
    const others = entry.ids.filter((other) => other !== id);
    this.#owners.set(String(address), { address, ids: [...others, id] });
    return moved;
  }

  remove(address: Address, id: string): void {
    const entry = this.#owners.get(String(address));
    if (entry === undefined) return;
    const ids = entry.ids.filter((other) => other !== id);
    if (ids.length === 0) this.#owners.delete(String(address));
    else this.#owners.set(String(address), { address, ids });
  }

  ownerOf(address: Address): string | undefined {
    return this.#owners.get(String(address))?.ids.at(-1);
  }

  *entries(): Generator<readonly [Address, string]> {
    for (const { address, ids } of this.#owners.values()) {
      const owner = ids.at(-1);
      if (owner !== undefined) yield [address, owner];
    }
  }
}
