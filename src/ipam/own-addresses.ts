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
  const held = blocks.flatMap(({ block }) =>
    [...heldAddresses(block)].flatMap(({ address, holder }) => {
      const { handle, secondary } = holder;
      const counts = handle !== undefined && !isPoolHandle(handle) && isOurs(holder, host);
      return counts ? [{ address, handle, secondary }] : [];
    }),
  );
  await handles.loadAll(
    held.map(({ handle }) => handle),
    options,
  );
  return held.map(({ address, handle, secondary }) => {
    const claimedAt = Date.parse(secondary['timestamp'] ?? '');
    return {
      address,
      handle,
      handleRevision: handles.revisionOf(handle),
      hostUuid: secondary['host'] ?? '',
      ...(Number.isNaN(claimedAt) ? {} : { claimedAt }),
    };
  });
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
