import { Fault, isFault, toFault, type Clock } from '../base/index.js';
import {
  affinityKey,
  blockKey,
  commitOrConflict,
  handleKey,
  retryOnConflict,
  type Compare,
  type Entry,
  type Store,
  type Transaction,
  type Write,
} from '../datastore/index.js';
import { BlockEdit, isEmpty, poolOf, type Address, type Block, type Cidr } from '../model/index.js';
import { encodeAffinity, encodeBlock } from '../model/v3/index.js';
import type { BlockCache, CachedBlock } from './block-cache.js';
import type { Catalog } from './catalog.js';
import { HandleEdit, type HandleBook } from './handle-book.js';

/** One claim or release inside one block. */
export interface BlockWork {
  /** Claims also compare what they were decided from: pool, IPAM configuration, Node. */
  readonly type: 'claim' | 'release';
  readonly handle: string;
  /** Changes the edit and says which address; undefined when nothing is left to do. Throws to refuse this item alone. */
  apply(edit: BlockEdit, record: CachedBlock, handles: HandleEdit): Address | undefined;
  /** After a lost reply: the address if this item's change is in the stored block. */
  happened(stored: Block): Address | undefined;
  readonly also?: { readonly compares: readonly Compare[]; readonly writes: readonly Write[] };
}

/** Refusals that make the caller look for another block. */
export const BLOCK_FULL = 'block-full';
export const BLOCK_LOST = 'block-lost';

/** Largest block value that is still written; etcd refuses requests above 1.5 MiB. */
const MAX_BLOCK_BYTES = 1024 * 1024;
/** etcd allows 128 operations in a transaction. */
const MAX_GROUP = 40;
const GROUP_ATTEMPTS = 3;
const SINGLE_ATTEMPTS = 100;

interface Item {
  readonly work: BlockWork;
  readonly signal: AbortSignal;
  resolve(address: Address | undefined): void;
  reject(fault: Fault): void;
}

interface Planned {
  readonly items: readonly { readonly item: Item; readonly address: Address | undefined }[];
  /** Undefined when no item changes anything. */
  readonly write: BlockWrite | undefined;
}

interface BlockWrite {
  readonly next: Block;
  readonly handles: HandleEdit;
  readonly transaction: Transaction;
  readonly confirmsAffinity: boolean;
}

export interface ClaimQueueOptions {
  readonly store: Store;
  readonly node: string;
  readonly catalog: Catalog;
  readonly blocks: BlockCache;
  readonly handles: HandleBook;
  readonly clock: Clock;
  /** A claim whose outcome could not be found out: the address may be taken for nobody. */
  readonly onUnknownClaim: (handle: string, block: Cidr) => void;
}

/**
 * Claims and releases of one block at a time: requests that wait while a commit is under way share
 * the next one. One commit per block is in flight; blocks are independent.
 */
export class ClaimQueue {
  readonly #options: ClaimQueueOptions;
  readonly #waiting = new Map<string, Item[]>();

  constructor(options: ClaimQueueOptions) {
    this.#options = options;
  }

  /** Settles when the item is in the store, or refused. The block must be in the cache. */
  submit(cidr: Cidr, work: BlockWork, signal: AbortSignal): Promise<Address | undefined> {
    return new Promise((resolve, reject) => {
      const item: Item = { work, signal, resolve, reject };
      const waiting = this.#waiting.get(cidr.toString());
      if (waiting !== undefined) {
        waiting.push(item);
        return;
      }
      const queue = [item];
      this.#waiting.set(cidr.toString(), queue);
      void this.#drain(cidr, queue);
    });
  }

  async #drain(cidr: Cidr, queue: Item[]): Promise<void> {
    while (queue.length > 0) {
      const group = queue.splice(0, MAX_GROUP).filter((item) => !this.#rejectAborted(item));
      if (group.length > 0) await this.#commitGroup(cidr, group);
    }
    this.#waiting.delete(cidr.toString());
  }

  #rejectAborted(item: Item): boolean {
    if (!item.signal.aborted) return false;
    item.reject(
      new Fault('timeout', 'the call ended before its turn in the block', {
        reason: 'queue-timeout',
      }),
    );
    return true;
  }

  async #commitGroup(cidr: Cidr, group: readonly Item[]): Promise<void> {
    let rest: readonly Item[] = group;
    try {
      const attempts = group.length > 1 ? GROUP_ATTEMPTS : SINGLE_ATTEMPTS;
      await retryOnConflict(attempts, async (_attempt, current) => {
        if (current !== undefined) {
          this.#absorb(cidr, rest, current);
          rest = rest.filter((item) => !rejectOutdated(item, current));
        }
        const planned = this.#plan(cidr, rest);
        rest = planned.items.map(({ item }) => item);
        await this.#commit(cidr, planned);
      });
    } catch (error) {
      await this.#afterFailure(cidr, rest, toFault(error));
    }
  }

  /** A group that keeps failing falls back to one by one: one bad item must not fail the others. */
  async #afterFailure(cidr: Cidr, items: readonly Item[], fault: Fault): Promise<void> {
    if (fault.kind === 'outcome-unknown') {
      await this.#settleUnknown(cidr, items, fault);
      return;
    }
    const single = items.length <= 1 || isFault(fault, 'unavailable', 'timeout', 'internal');
    for (const item of items) {
      if (single) item.reject(fault);
      else await this.#commitGroup(cidr, [item]);
    }
  }

  #plan(cidr: Cidr, items: readonly Item[]): Planned {
    const { blocks, handles: book } = this.#options;
    const record = blocks.get(cidr);
    const accepted: { item: Item; address: Address | undefined }[] = [];
    if (record === undefined) {
      for (const item of items) item.reject(lost(cidr));
      return { items: [], write: undefined };
    }
    const edit = new BlockEdit(record.block);
    this.#collectCooled(edit, record.block);
    const handles = new HandleEdit(book);
    for (const item of items) {
      try {
        const address = item.work.apply(edit, record, handles);
        if (address !== undefined)
          handles.add(item.work.handle, cidr, item.work.type === 'claim' ? 1 : -1);
        accepted.push({ item, address });
      } catch (error) {
        item.reject(toFault(error));
      }
    }
    const changes = accepted.some(({ address }) => address !== undefined);
    const write = changes ? this.#write(record, edit.finish(), handles, accepted) : undefined;
    return { items: accepted, write };
  }

  #collectCooled(edit: BlockEdit, block: Block): void {
    if (!block.attributes.some(({ releasedAt }) => releasedAt !== undefined)) return;
    const { catalog, clock } = this.#options;
    edit.collectCooled(clock.now() - catalog.config.value.ipCooldownSeconds * 1000);
  }

  #write(
    record: CachedBlock,
    next: Block,
    handles: HandleEdit,
    items: Planned['items'],
  ): BlockWrite {
    const { cidr } = record;
    const { blocks, node } = this.#options;
    const claims = items.some(({ item }) => item.work.type === 'claim');
    const compares = new Map<string, bigint>([[blockKey(cidr), record.revision]]);
    if (claims)
      for (const { key, revision } of this.#decidedFrom(cidr)) compares.set(key, revision);
    const own = blocks.isOwn(next);
    if (own && claims) compares.set(affinityKey(node, cidr), record.affinity.revision);
    const confirmsAffinity =
      own && claims && (record.affinity.revision === 0n || record.affinity.state !== 'confirmed');
    // A block that nobody owns and nothing uses goes, as in Calico.
    const value = next.affinity === null && isEmpty(next) ? null : encodeBlock(next);
    const writes: Write[] = [{ key: blockKey(cidr), value }];
    if (confirmsAffinity)
      writes.push({ key: affinityKey(node, cidr), value: encodeAffinity('confirmed') });
    for (const handle of handles.handles)
      compares.set(handleKey(handle), handles.revisionOf(handle));
    writes.push(...handles.writes);
    for (const { item } of items) {
      for (const compare of item.work.also?.compares ?? [])
        compares.set(compare.key, compare.revision);
      writes.push(...(item.work.also?.writes ?? []));
    }
    if (claims && (value?.length ?? 0) > MAX_BLOCK_BYTES) throw tooLarge(cidr);
    const transaction: Transaction = {
      compares: [...compares].map(([key, revision]) => ({ key, revision })),
      writes,
      reads: [...new Set([...compares.keys(), ...blocks.keysOf(cidr)])],
    };
    return { next, handles, transaction, confirmsAffinity };
  }

  #decidedFrom(cidr: Cidr): readonly Compare[] {
    const { catalog } = this.#options;
    const pool = catalog.pools.find(({ value }) => value.cidr.containsCidr(cidr));
    return [catalog.config, catalog.node, ...(pool === undefined ? [] : [pool])];
  }

  async #commit(cidr: Cidr, planned: Planned): Promise<void> {
    const { blocks, store } = this.#options;
    const { write } = planned;
    if (write !== undefined) {
      // Bounded by the store's own deadline: the items of a group have different bounds.
      const revision = await commitOrConflict(store, write.transaction, `block ${cidr}`);
      write.handles.committed(revision);
      const affinity = write.confirmsAffinity
        ? ({ state: 'confirmed', revision } as const)
        : (blocks.get(cidr)?.affinity ?? { state: 'pending', revision: 0n });
      if (write.transaction.writes[0]?.value === null) blocks.forget(cidr);
      else blocks.put({ cidr, block: write.next, revision, affinity });
    }
    for (const { item, address } of planned.items) item.resolve(address);
  }

  #absorb(
    cidr: Cidr,
    items: readonly Item[],
    current: ReadonlyMap<string, Entry | undefined>,
  ): void {
    const { blocks, catalog, handles } = this.#options;
    blocks.absorb(cidr, current);
    catalog.absorb(current);
    for (const { work } of items) {
      const key = handleKey(work.handle);
      if (current.has(key)) handles.absorb(work.handle, current.get(key));
    }
  }

  /** A commit whose answer was lost: read again and decide by our own handles; never repeat blindly. */
  async #settleUnknown(cidr: Cidr, items: readonly Item[], fault: Fault): Promise<void> {
    const { blocks, store, onUnknownClaim } = this.#options;
    try {
      const keys = new Set([
        ...blocks.keysOf(cidr),
        ...items.map(({ work }) => handleKey(work.handle)),
      ]);
      this.#absorb(cidr, items, await store.getMany([...keys]));
    } catch {
      // The read's own failure says nothing more than the lost answer did; the callers are told that one.
      blocks.forget(cidr);
      for (const item of items) {
        if (item.work.type === 'claim') onUnknownClaim(item.work.handle, cidr);
        item.reject(fault);
      }
      return;
    }
    const record = blocks.get(cidr);
    for (const item of items) {
      const address = record === undefined ? undefined : item.work.happened(record.block);
      if (address !== undefined) item.resolve(address);
      else await this.#commitGroup(cidr, [item]);
    }
  }
}

/** What an item brings along was decided by its caller: if that changed, the caller has to decide again. */
function rejectOutdated(item: Item, current: ReadonlyMap<string, Entry | undefined>): boolean {
  const outdated = item.work.also?.compares.some(
    ({ key, revision }) => current.has(key) && (current.get(key)?.revision ?? 0n) !== revision,
  );
  if (outdated !== true) return false;
  item.reject(
    new Fault('conflict', 'the endpoint of the address was changed meanwhile', {
      reason: 'endpoint-changed',
    }),
  );
  return true;
}

/** The pool whose block this is, when it still takes new addresses; throws `block-lost` otherwise. */
export function openPoolOf(catalog: Catalog, cidr: Cidr): void {
  const pool = poolOf(
    catalog.pools.map(({ value }) => value),
    cidr.base,
  );
  if (pool === undefined || pool.closed) throw lost(cidr);
}

export function lost(cidr: Cidr): Fault {
  return new Fault('conflict', `block ${cidr} is not this host's any more`, { reason: BLOCK_LOST });
}

function tooLarge(cidr: Cidr): Fault {
  return new Fault(
    'exhausted',
    `block ${cidr} would grow past 1 MiB, which etcd refuses; use a pool with a larger blockSize number (smaller blocks)`,
    { reason: 'block-too-large' },
  );
}
