import type { Link } from '../../netlink/index.js';

export interface LinkState {
  readonly index: number;
  readonly up: boolean;
}

/** The interfaces of local endpoints as last heard of: which endpoint, which index, up or not. */
export class LinkTable {
  readonly #byName = new Map<string, { readonly id: string; state: LinkState }>();
  readonly #nameByIndex = new Map<number, string>();
  /** Names of those that are down or gone: asked for by every status. */
  readonly #down = new Set<string>();

  /** The endpoint's driver says that its interface is there and up. */
  add(name: string, id: string, index: number): void {
    this.#forgetIndex(name);
    this.#byName.set(name, { id, state: { index, up: true } });
    this.#down.delete(name);
    this.#nameByIndex.set(index, name);
  }

  /** A name that a newer endpoint has taken over stays with that one. */
  remove(name: string, id: string): void {
    if (this.#byName.get(name)?.id !== id) return;
    this.#forgetIndex(name);
    this.#byName.delete(name);
    this.#down.delete(name);
  }

  state(name: string): LinkState | undefined {
    return this.#byName.get(name)?.state;
  }

  hasIndex(index: number | undefined): boolean {
    return index !== undefined && this.#nameByIndex.has(index);
  }

  /** What the kernel tells of a link; the endpoint's ID when its interface came (back) up. */
  update(link: Pick<Link, 'name' | 'index' | 'up'>, removed: boolean): string | undefined {
    const entry = this.#byName.get(link.name);
    if (entry === undefined) return undefined;
    const before = entry.state;
    // The end of an interface of that name which another has followed.
    if (removed && before.index !== link.index) return undefined;
    const up = link.up && !removed;
    this.#forgetIndex(link.name);
    entry.state = { index: link.index, up };
    if (up) this.#down.delete(link.name);
    else this.#down.add(link.name);
    this.#nameByIndex.set(link.index, link.name);
    return up && !(before.up && before.index === link.index) ? entry.id : undefined;
  }

  /** Endpoints whose interface is down or gone. */
  down(): readonly string[] {
    return [...this.#down].flatMap((name) => this.#byName.get(name)?.id ?? []);
  }

  names(): readonly string[] {
    return [...this.#byName.keys()];
  }

  #forgetIndex(name: string): void {
    const index = this.#byName.get(name)?.state.index;
    if (index !== undefined && this.#nameByIndex.get(index) === name) {
      this.#nameByIndex.delete(index);
    }
  }
}
