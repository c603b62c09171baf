import {
  handleKey,
  type CallOptions,
  type Entry,
  type Store,
  type Write,
} from '../datastore/index.js';
import type { Cidr } from '../model/index.js';
import { decodeHandle, encodeHandle } from '../model/v3/index.js';

interface KnownHandle {
  /** 0: the key does not exist. */
  revision: bigint;
  blocks: ReadonlyMap<string, number>;
}

/**
 * Handles of this host as last written or read: their revisions are compared on every change. An unknown
 * handle counts as one that does not exist, which the compare of a new one finds out.
 */
export class HandleBook {
  readonly #store: Store;
  readonly #known = new Map<string, KnownHandle>();

  constructor(store: Store) {
    this.#store = store;
  }

  /** Makes the handle known, with one read when it is not. */
  async load(handle: string, options: CallOptions): Promise<void> {
    if (this.#known.has(handle)) return;
    this.absorb(handle, await this.#store.get(handleKey(handle), options));
  }

  /** Makes these known, with one read for all that are not. */
  async loadAll(handles: readonly string[], options: CallOptions): Promise<void> {
    const unknown = [...new Set(handles)].filter((handle) => !this.#known.has(handle));
    if (unknown.length === 0) return;
    const found = await this.#store.getMany(unknown.map(handleKey), options);
    for (const handle of unknown) {
      const entry = found.get(handleKey(handle));
      // What was written meanwhile is newer.
      if (entry !== undefined) this.refresh(handle, entry);
    }
  }

  absorb(handle: string, entry: Entry | undefined): void {
    if (entry === undefined) this.#known.delete(handle);
    else this.#known.set(handle, { revision: entry.revision, blocks: decodeHandle(entry.value) });
  }

  /** What a list brought, unless something newer is known. */
  refresh(handle: string, entry: Entry): void {
    if (this.revisionOf(handle) < entry.revision) this.absorb(handle, entry);
  }

  revisionOf(handle: string): bigint {
    return this.#known.get(handle)?.revision ?? 0n;
  }

  blocksOf(handle: string): ReadonlyMap<string, number> {
    return this.#known.get(handle)?.blocks ?? new Map();
  }

  /** The value that would be stored; for a re-put that changes nothing but the revision. */
  valueOf(handle: string): string {
    return encodeHandle(this.blocksOf(handle));
  }

  written(handle: string, blocks: ReadonlyMap<string, number>, revision: bigint): void {
    if (blocks.size === 0) this.#known.delete(handle);
    else this.#known.set(handle, { revision, blocks });
  }
}

/** Changes of handles that go into one transaction; several items of a group may share a handle. */
export class HandleEdit {
  readonly #book: HandleBook;
  readonly #changed = new Map<string, Map<string, number>>();

  constructor(book: HandleBook) {
    this.#book = book;
  }

  add(handle: string, cidr: Cidr, count: number): void {
    let blocks = this.#changed.get(handle);
    if (blocks === undefined) {
      blocks = new Map(this.#book.blocksOf(handle));
      this.#changed.set(handle, blocks);
    }
    const sum = (blocks.get(cidr.toString()) ?? 0) + count;
    if (sum > 0) blocks.set(cidr.toString(), sum);
    else blocks.delete(cidr.toString());
  }

  get handles(): readonly string[] {
    return [...this.#changed.keys()];
  }

  revisionOf(handle: string): bigint {
    return this.#book.revisionOf(handle);
  }

  get writes(): readonly Write[] {
    return [...this.#changed].flatMap(([handle, blocks]) => {
      // A handle that never existed and holds nothing needs no write.
      if (blocks.size === 0 && this.#book.revisionOf(handle) === 0n) return [];
      return [{ key: handleKey(handle), value: blocks.size === 0 ? null : encodeHandle(blocks) }];
    });
  }

  committed(revision: bigint): void {
    for (const [handle, blocks] of this.#changed) this.#book.written(handle, blocks, revision);
  }
}
