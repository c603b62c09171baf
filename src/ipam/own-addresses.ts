import type { CallOptions } from '../datastore/index.js';
import { heldAddresses, holderOf, type Address } from '../model/index.js';
import type { CachedBlock } from './block-cache.js';
import type { HandleBook } from './handle-book.js';
import { isOurs, isPoolHandle, type Host } from './owner.js';

/** What CreateEndpoint has to compare and put again. */
export interface AddressLease {
  readonly address: Address;
  readonly handle: string;
  readonly handleRevision: bigint;
  readonly handleValue: string;
  readonly mac: string;
}

export interface OwnAddress {
  readonly address: Address;
  readonly handle: string;
  readonly handleRevision: bigint;
  readonly hostUuid: string;
  /** Milliseconds since the epoch. */
  readonly claimedAt?: number;
}

/** Endpoint addresses in these blocks that this very machine took, with the revision that any use of them changes. */
export async function listOwnAddresses(
  blocks: readonly CachedBlock[],
  handles: HandleBook,
  host: Host,
  options: CallOptions,
): Promise<readonly OwnAddress[]> {
  const own: OwnAddress[] = [];
  for (const { block } of blocks) {
    for (const { address, holder } of heldAddresses(block)) {
      const { handle } = holder;
      if (handle === undefined || isPoolHandle(handle) || !isOurs(holder, host)) continue;
      await handles.load(handle, options);
      const claimedAt = Date.parse(holder.secondary['timestamp'] ?? '');
      own.push({
        address,
        handle,
        handleRevision: handles.revisionOf(handle),
        hostUuid: holder.secondary['host'] ?? '',
        ...(Number.isNaN(claimedAt) ? {} : { claimedAt }),
      });
    }
  }
  return own;
}

/** Who holds an address for a container of this host, as stored: after a restart, when memory says nothing. */
export async function storedOwner(
  address: Address,
  host: Host,
  blockOf: (address: Address) => Promise<CachedBlock | undefined>,
): Promise<{ readonly handle: string; readonly mac: string } | undefined> {
  const record = await blockOf(address);
  const holder = record === undefined ? undefined : holderOf(record.block, address);
  if (holder?.handle === undefined || !isOurs(holder, host)) return undefined;
  if (isPoolHandle(holder.handle)) return undefined;
  return { handle: holder.handle, mac: holder.secondary['mac'] ?? '' };
}
