import { Fault, isFault, type Clock, type Log } from '../base/index.js';
import {
  blockPrefix,
  commitOrConflict,
  retryOnConflict,
  type CallOptions,
  type Store,
} from '../datastore/index.js';
import { Cidr, holderOf, poolOf, type Address, type BlockAttribute } from '../model/index.js';
import { coolingAttribute } from '../model/v3/index.js';
import type { BlockCache, CachedBlock } from './block-cache.js';
import type { Catalog } from './catalog.js';
import type { BlockWork } from './block-write.js';
import type { ClaimQueue } from './claim-queue.js';
import type { HandleBook } from './handle-book.js';
import { isOurs, isPoolHandle, poolHandle, type Host } from './owner.js';
import type { EndpointsByAddress } from './ports.js';

/** What became of a release; the words of logs, metrics and CLI. */
export type ReleaseOutcome =
  | 'released'
  /** The slot was free already. */
  | 'already-free'
  /** Another holder has the slot: a late or doubled release. */
  | 'other-holder'
  /** Taken by another machine or another program. */
  | 'other-host'
  /** An interface of a running container still uses it. */
  | 'live-endpoint'
  /** No pool and no block holds the address. */
  | 'no-block';

export interface ReleaserDependencies {
  readonly store: Store;
  readonly host: Host;
  readonly catalog: Catalog;
  readonly blocks: BlockCache;
  readonly handles: HandleBook;
  readonly queue: ClaimQueue;
  readonly endpoints: EndpointsByAddress;
  readonly clock: Clock;
  readonly log: Log;
}

export interface ReleaseOptions {
  readonly signal: AbortSignal;
  /** Restricts a replayed release to the holder that it was meant for. */
  readonly onlyHandle?: string;
  /** Only if the handle still has this revision: any use of the address since the decision changes it. */
  readonly onlyRevision?: bigint;
  /** Restricts a replayed release without a handle to holders since before then (milliseconds since the epoch). */
  readonly heldSinceBefore?: number;
}

/** What a release was decided from. */
interface Decision {
  readonly holder: BlockAttribute;
  /** The handle's revision then. */
  readonly decidedAt: bigint;
  readonly also: BlockWork['also'];
}

/** Gives addresses back, and only those that this very host took (architecture §3, "Who owns an address"). */
export class Releaser {
  readonly #deps: ReleaserDependencies;

  constructor(dependencies: ReleaserDependencies) {
    this.#deps = dependencies;
  }

  async release(
    address: Address,
    poolId: string | undefined,
    options: ReleaseOptions,
  ): Promise<ReleaseOutcome> {
    return retryOnConflict(5, async () => this.#releaseOnce(address, poolId, options));
  }

  async #releaseOnce(
    address: Address,
    poolId: string | undefined,
    options: ReleaseOptions,
  ): Promise<ReleaseOutcome> {
    const record = await this.blockOf(address, options);
    if (record === undefined) return 'no-block';
    const holder = holderOf(record.block, address);
    if (holder === undefined) {
      await this.#dropEndpoint(address, options);
      return 'already-free';
    }
    const mine = this.#decide(holder, poolId, options);
    if (mine !== 'released') return mine;
    const { handle } = holder;
    if (handle !== undefined) await this.#deps.handles.load(handle, options);
    // Taken before the endpoint is looked for: one that comes after that look has put the handle.
    const decidedAt = this.#deps.handles.revisionOf(handle ?? '');
    const bound = isPoolHandle(handle) ? undefined : this.#deps.endpoints.holding(address);
    if (bound !== undefined && (await bound.isLive(options.signal))) return 'live-endpoint';
    const also = await bound?.evict();
    const done = await this.#deps.queue.submit(
      record.cidr,
      this.#work(address, { holder, decidedAt, also }, options),
      options.signal,
    );
    bound?.evicted();
    return done === undefined ? 'other-holder' : 'released';
  }

  /** The answer to the release that freed the address was lost: its endpoint is still known here. */
  async #dropEndpoint(address: Address, { signal }: ReleaseOptions): Promise<void> {
    const { endpoints, store } = this.#deps;
    const bound = endpoints.holding(address);
    if (bound === undefined || (await bound.isLive(signal))) return;
    const also = await bound.evict();
    if (also.writes.length > 0) await commitOrConflict(store, also, 'the endpoint', { signal });
    bound.evicted();
  }

  #decide(
    holder: BlockAttribute,
    poolId: string | undefined,
    { onlyHandle, heldSinceBefore }: ReleaseOptions,
  ): ReleaseOutcome {
    if (onlyHandle !== undefined && holder.handle !== onlyHandle) return 'other-holder';
    const since = Date.parse(holder.secondary['timestamp'] ?? '');
    if (heldSinceBefore !== undefined && since >= heldSinceBefore) return 'other-holder';
    if (isPoolHandle(holder.handle)) {
      return poolId !== undefined && holder.handle === poolHandle(poolId)
        ? 'released'
        : 'other-holder';
    }
    return isOurs(holder, this.#deps.host) ? 'released' : 'other-host';
  }

  #work(
    address: Address,
    { holder, decidedAt, also }: Decision,
    { onlyRevision }: ReleaseOptions,
  ): BlockWork {
    const { catalog, clock, handles } = this.#deps;
    const handle = holder.handle ?? '';
    return {
      type: 'release',
      handle,
      ...(also === undefined ? {} : { also }),
      apply: (edit) => {
        if (edit.holderOf(address)?.text !== holder.text) return undefined;
        if (!isPoolHandle(handle) && handles.revisionOf(handle) !== decidedAt)
          throw putToUse(address);
        // The commit compares the same revision, so nobody can slip in between.
        if (onlyRevision !== undefined && handles.revisionOf(handle) !== onlyRevision)
          return undefined;
        const cooling =
          catalog.config.value.ipCooldownSeconds > 0 ? coolingAttribute(clock.now()) : undefined;
        edit.release(address, cooling);
        return address;
      },
      happened: (stored) => (holderOf(stored, address)?.text === holder.text ? undefined : address),
    };
  }

  /** The block that holds the address: by its pool, else (the pool is gone) by looking at what is stored. */
  async blockOf(address: Address, options: CallOptions): Promise<CachedBlock | undefined> {
    const { blocks, catalog } = this.#deps;
    const cached = blocks.all.find(({ cidr }) => cidr.contains(address));
    if (cached !== undefined) return cached;
    const pool = poolOf(
      catalog.pools.map(({ value }) => value),
      address,
    );
    const cidr =
      pool === undefined
        ? await this.#strayBlock(address, options)
        : Cidr.of(address, pool.blockSize);
    return cidr === undefined ? undefined : blocks.fetch(cidr, options);
  }

  async #strayBlock(address: Address, options: CallOptions): Promise<Cidr | undefined> {
    const prefix = blockPrefix(address.family);
    const { entries } = await this.#deps.store.list(prefix, options);
    for (const { key } of entries) {
      const cidr = Cidr.tryParse(key.slice(prefix.length).replace(/-(\d+)$/, '/$1'));
      if (cidr?.contains(address) === true) return cidr;
    }
    return undefined;
  }

  /** Frees everything that a pool request holds: gateway and auxiliary addresses. */
  async releasePool(poolId: string, options: { readonly signal: AbortSignal }): Promise<void> {
    const handle = poolHandle(poolId);
    const { handles, blocks } = this.#deps;
    await handles.load(handle, options);
    for (const cidrText of handles.blocksOf(handle).keys()) {
      const record = await blocks.fetch(Cidr.parse(cidrText), options);
      const held = [...record.block.allocations.entries()]
        .filter(([, index]) => index !== null && record.block.attributes[index]?.handle === handle)
        .map(([ordinal]) => record.cidr.addressAt(ordinal));
      const results = await Promise.allSettled(
        held.map((address) => this.release(address, poolId, options)),
      );
      const failed = results.find((result) => result.status === 'rejected');
      if (failed !== undefined) throw failed.reason;
    }
  }
}

/** CreateEndpoint puts the handle again: whether the address may go is to be decided anew. */
function putToUse(address: Address): Fault {
  return new Fault('conflict', `${address} was put to use meanwhile`, { reason: 'handle-changed' });
}

/** Faults after which a release is remembered durably and repeated, instead of being told to Docker. */
export function isDeferrable(fault: Fault): boolean {
  return isFault(fault, 'unavailable', 'timeout', 'outcome-unknown', 'conflict', 'refused');
}
