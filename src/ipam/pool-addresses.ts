import { handleKey, handlePrefix, type CallOptions, type Store } from '../datastore/index.js';
import { Cidr, heldAddresses, type Address, type BlockAttribute } from '../model/index.js';
import type { BlockCache } from './block-cache.js';
import type { HandleBook } from './handle-book.js';
import { isOurs, poolHandle, poolHandlePrefix, type Host } from './owner.js';
import { parsePoolId } from './pool-id.js';

/** Gateway and auxiliary addresses that this very machine took for one pool request of Docker. */
export interface PoolAddresses {
  readonly poolId: string;
  readonly handle: string;
  readonly handleRevision: bigint;
  readonly addresses: readonly Address[];
  /** Of the newest of them; milliseconds since the epoch. */
  readonly claimedAt?: number;
}

export interface PoolAddressesParts {
  readonly store: Store;
  readonly host: Host;
  readonly blocks: BlockCache;
  readonly handles: HandleBook;
}

/**
 * Those of every pool request that is not among the given ones. PoolIDs of the predecessor's forms are shared by its
 * networks, so nothing can be said of their addresses.
 */
export async function listPoolAddresses(
  parts: PoolAddressesParts,
  inUse: ReadonlySet<string>,
  options: CallOptions,
): Promise<PoolAddresses[]> {
  const { store, handles } = parts;
  const prefix = handleKey(poolHandlePrefix);
  const { entries } = await store.list(prefix, options);
  const found: PoolAddresses[] = [];
  for (const entry of entries) {
    const poolId = entry.key.slice(prefix.length);
    if (inUse.has(poolId) || !parsePoolId(poolId).own) continue;
    handles.refresh(entry.key.slice(handlePrefix.length), entry);
    const own = await heldByUs(parts, poolId, options);
    if (own.addresses.length > 0) found.push(own);
  }
  return found;
}

async function heldByUs(
  { host, blocks, handles }: PoolAddressesParts,
  poolId: string,
  options: CallOptions,
): Promise<PoolAddresses> {
  const handle = poolHandle(poolId);
  const held: { readonly address: Address; readonly holder: BlockAttribute }[] = [];
  for (const cidr of handles.blocksOf(handle).keys()) {
    const { block } = await blocks.fetch(Cidr.parse(cidr), options);
    held.push(...[...heldAddresses(block)].filter(({ holder }) => holder.handle === handle));
  }
  const own = held.filter(({ holder }) => isOurs(holder, host));
  const times = own.map(({ holder }) => Date.parse(holder.secondary['timestamp'] ?? ''));
  const claimedAt = Math.max(...times.filter((time) => !Number.isNaN(time)));
  return {
    poolId,
    handle,
    handleRevision: handles.revisionOf(handle),
    addresses: own.map(({ address }) => address),
    ...(Number.isFinite(claimedAt) ? { claimedAt } : {}),
  };
}
