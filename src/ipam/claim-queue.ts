import { Fault, isFault, toFault } from '../base/index.js';
import {
  commitOrConflict,
  handleKey,
  retryOnConflict,
  type Entry,
  type Store,
} from '../datastore/index.js';
import type { Address, Cidr } from '../model/index.js';
import { planBlock, type BlockParts, type BlockPlan, type BlockWork } from './block-write.js';

/** etcd allows 128 operations in a transaction. */
const MAX_GROUP = 40;
const GROUP_ATTEMPTS = 3;
const SINGLE_ATTEMPTS = 100;

interface Item {
  readonly work: BlockWork;
  readonly signal: AbortSignal;
  resolve(address: Address | undefined): void;
  reject(fault: Fault): void;
  /** A commit with it had an unknown outcome: it may still arrive. */
  suspect: boolean;
}

export interface ClaimQueueOptions extends BlockParts {
  readonly store: Store;
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
      const item: Item = { work, signal, resolve, reject, suspect: false };
      const waiting = this.#waiting.get(cidr.toString());
      if (waiting !== undefined) {
        waiting.push(item);
        return;
      }
      const queue = [item];
      this.#waiting.set(cidr.toString(), queue);
      this.#drain(cidr, queue).catch((error: unknown) => {
        this.#waiting.delete(cidr.toString());
        for (const left of queue) left.reject(toFault(error));
      });
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
          rest = rest.filter(
            (item) => !rejectOutdated(item, current) && !this.#arrivedLate(item, cidr),
          );
        }
        const planned = planBlock(this.#options, cidr, rest);
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

  async #commit(cidr: Cidr, planned: BlockPlan<Item>): Promise<void> {
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
    blocks.absorb(cidr, current, 'failed-compare');
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
      else {
        item.suspect = true;
        await this.#commitGroup(cidr, [item]);
      }
    }
  }

  /** A commit of unknown outcome may land after we read: what it did must not be done twice. */
  #arrivedLate(item: Item, cidr: Cidr): boolean {
    const record = this.#options.blocks.get(cidr);
    const address =
      item.suspect && record !== undefined ? item.work.happened(record.block) : undefined;
    if (address === undefined) return false;
    item.resolve(address);
    return true;
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
