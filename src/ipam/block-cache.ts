import { isFault, messageOf, type Clock, type Log } from '../base/index.js';
import {
  affinityKey,
  affinityPrefix,
  blockKey,
  type CallOptions,
  type Entry,
  type Store,
} from '../datastore/index.js';
import { Cidr, hostAffinity, newBlock, type Block, type Family } from '../model/index.js';
import { decodeAffinity, decodeBlock, type AffinityState } from '../model/v3/index.js';

/** A block as this daemon last wrote or read it. */
export interface CachedBlock {
  readonly cidr: Cidr;
  /** What is stored, or a fresh block of ours when `revision` is 0. */
  readonly block: Block;
  /** 0: the key does not exist. */
  readonly revision: bigint;
  /** Our own affinity key of this block; revision 0 when it does not exist. */
  readonly affinity: { readonly state: AffinityState; readonly revision: bigint };
}

const NO_AFFINITY = { state: 'pending', revision: 0n } as const;
const CHUNK = 64;

const isNobodys = ({ revision, affinity }: CachedBlock): boolean =>
  revision === 0n && affinity.revision === 0n;

/**
 * The blocks that this host owns or has an address in. There is no watch on blocks: every write compares
 * the revision, and a failed compare brings the newer block (architecture §3).
 */
export class BlockCache {
  readonly #store: Store;
  readonly #node: string;
  readonly #clock: Clock;
  readonly #log: Log;
  readonly #blocks = new Map<string, CachedBlock>();
  readonly #corrupt = new Set<string>();

  constructor(options: {
    readonly store: Store;
    readonly node: string;
    readonly clock: Clock;
    readonly log: Log;
  }) {
    this.#store = options.store;
    this.#node = options.node;
    this.#clock = options.clock;
    this.#log = options.log;
  }

  /** Reads the affinities of this host and their blocks: at start, and when it looks for room. */
  async loadOwn(family: Family, options: CallOptions): Promise<void> {
    const prefix = affinityPrefix(this.#node, family);
    const { entries } = await this.#store.list(prefix, options);
    const cidrs = entries.flatMap((entry) => {
      const cidr = Cidr.tryParse(entry.key.slice(prefix.length).replace(/-(\d+)$/, '/$1'));
      return cidr === undefined ? [] : [cidr];
    });
    await this.#read(cidrs, options);
  }

  /** The cached block, else what is stored now. */
  async fetch(cidr: Cidr, options: CallOptions): Promise<CachedBlock> {
    const cached = this.#blocks.get(cidr.toString());
    if (cached !== undefined) return cached;
    await this.#read([cidr], options);
    return this.#blocks.get(cidr.toString()) ?? this.#fresh(cidr);
  }

  /** What is stored now of several blocks; they enter the cache only if this host owns them. */
  async survey(cidrs: readonly Cidr[], options: CallOptions): Promise<readonly CachedBlock[]> {
    const current = await this.#store.getMany(
      cidrs.flatMap((cidr) => [blockKey(cidr), affinityKey(this.#node, cidr)]),
      options,
    );
    const found: CachedBlock[] = [];
    for (const cidr of cidrs) {
      const record = this.#decode(cidr, current);
      if (record === undefined) continue;
      if (this.isOwn(record.block) && record.revision > 0n) this.absorb(cidr, current, 'read');
      found.push(record);
    }
    return found;
  }

  get(cidr: Cidr): CachedBlock | undefined {
    return this.#blocks.get(cidr.toString());
  }

  /** Blocks with our affinity, in address order. */
  own(family: Family): readonly CachedBlock[] {
    return [...this.#blocks.values()]
      .filter(({ cidr, block }) => cidr.family === family && this.isOwn(block))
      .sort((a, b) => a.cidr.compare(b.cidr));
  }

  get all(): readonly CachedBlock[] {
    return [...this.#blocks.values()];
  }

  isOwn(block: Block): boolean {
    return block.affinity === hostAffinity(this.#node);
  }

  put(record: CachedBlock): void {
    this.#blocks.set(record.cidr.toString(), record);
  }

  /** Drops a draft that was never written, or a block of others that holds nothing of ours. */
  forget(cidr: Cidr): void {
    this.#blocks.delete(cidr.toString());
  }

  /**
   * Takes over what was read. A plain read may have been overtaken by a write of ours, so it never replaces
   * something newer; what a failed compare brought is what the store has.
   */
  absorb(
    cidr: Cidr,
    current: ReadonlyMap<string, Entry | undefined>,
    from: 'read' | 'failed-compare',
  ): void {
    if (!current.has(blockKey(cidr))) return;
    const record = this.#decode(cidr, current);
    const known = this.#blocks.get(cidr.toString());
    if (from === 'read' && known !== undefined && known.revision > (record?.revision ?? 0n)) return;
    // A block that does not exist is made by a claim, and not because somebody asked for it.
    if (from === 'read' && known === undefined && record !== undefined && isNobodys(record)) return;
    if (record === undefined) this.#blocks.delete(cidr.toString());
    else this.#blocks.set(cidr.toString(), record);
  }

  keysOf(cidr: Cidr): readonly string[] {
    return [blockKey(cidr), affinityKey(this.#node, cidr)];
  }

  /** True when the stored block could not be read: it is never written. */
  isCorrupt(cidr: Cidr): boolean {
    return this.#corrupt.has(cidr.toString());
  }

  async #read(cidrs: readonly Cidr[], options: CallOptions): Promise<void> {
    for (let from = 0; from < cidrs.length; from += CHUNK) {
      const chunk = cidrs.slice(from, from + CHUNK);
      const current = await this.#store.getMany(
        chunk.flatMap((cidr) => this.keysOf(cidr)),
        options,
      );
      for (const cidr of chunk) this.absorb(cidr, current, 'read');
    }
  }

  #fresh(cidr: Cidr): CachedBlock {
    const block = newBlock(cidr, hostAffinity(this.#node), this.#clock.now());
    return { cidr, block, revision: 0n, affinity: NO_AFFINITY };
  }

  #decode(cidr: Cidr, current: ReadonlyMap<string, Entry | undefined>): CachedBlock | undefined {
    const stored = current.get(blockKey(cidr));
    const affinityEntry = current.get(affinityKey(this.#node, cidr));
    try {
      const affinity =
        affinityEntry === undefined
          ? NO_AFFINITY
          : { state: decodeAffinity(affinityEntry.value), revision: affinityEntry.revision };
      this.#corrupt.delete(cidr.toString());
      if (stored === undefined) return { ...this.#fresh(cidr), affinity };
      return {
        cidr,
        block: decodeBlock(stored.value, this.#clock.now()),
        revision: stored.revision,
        affinity,
      };
    } catch (error) {
      if (!isFault(error, 'corrupt')) throw error;
      if (!this.#corrupt.has(cidr.toString())) {
        this.#log.error({ block: cidr.toString(), error: messageOf(error) }, 'block passed over');
      }
      this.#corrupt.add(cidr.toString());
      return undefined;
    }
  }
}
