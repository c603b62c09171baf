import { Fault, type Clock } from '../base/index.js';
import { holderOf, poolOf, type Address, type BlockAttribute } from '../model/index.js';
import type { BlockCache, CachedBlock } from './block-cache.js';
import type { BlockWork } from './block-write.js';
import type { Catalog } from './catalog.js';
import type { ClaimQueue } from './claim-queue.js';
import type { HandleBook } from './handle-book.js';
import { describeHolder, isOurs, isPoolHandle, ownedAttribute, type Host } from './owner.js';
import type { Releaser } from './release.js';

/** An address that is in use on this host, whatever the datastore says. */
export interface LiveAddress {
  readonly address: Address;
  /** Under which it was given out. */
  readonly handle: string;
  /** Empty for gateway and auxiliary addresses. */
  readonly mac: string;
}

export type ClaimOutcome =
  /** It stood there. */
  | { readonly type: 'held' }
  /** It was missing and stands there again. */
  | { readonly type: 'claimed' }
  /** Somebody else has it there: nothing was changed. */
  | { readonly type: 'conflict'; readonly holder: string }
  /** No pool and no block has it: nobody can say in which block it belongs. */
  | { readonly type: 'no-pool' };

export interface ClaimAgainParts {
  readonly host: Host;
  readonly catalog: Catalog;
  readonly blocks: BlockCache;
  readonly handles: HandleBook;
  readonly queue: ClaimQueue;
  readonly releaser: Releaser;
  readonly clock: Clock;
}

/** Why the compare-guarded claim found another holder than the one that it was decided from. */
const CONFLICT = 'live-address-taken';

/**
 * Puts addresses that are in use back where a datastore lacks them, by the rules of every other claim: what somebody else
 * holds stays his. An address of this very host goes over to the handle of its live endpoint. Reads nothing that is known.
 */
export async function claimAgain(
  parts: ClaimAgainParts,
  live: readonly LiveAddress[],
  options: { readonly signal: AbortSignal },
): Promise<readonly ClaimOutcome[]> {
  const records: (CachedBlock | undefined)[] = [];
  for (const { address } of live) records.push(await parts.releaser.blockOf(address, options));
  return Promise.all(
    live.map(async (one, index): Promise<ClaimOutcome> => {
      const record = records[index];
      if (record === undefined) return { type: 'no-pool' };
      return claimOne(parts, one, record, options);
    }),
  );
}

async function claimOne(
  parts: ClaimAgainParts,
  live: LiveAddress,
  record: CachedBlock,
  options: { readonly signal: AbortSignal },
): Promise<ClaimOutcome> {
  const { queue, handles, blocks, host, clock } = parts;
  const { address, handle, mac } = live;
  const holder = holderOf(record.block, address);
  if (holder !== undefined && isHeld(holder, live)) return { type: 'held' };
  if (holder !== undefined && !mayReplace(holder, live, host))
    return { type: 'conflict', holder: describeHolder(holder) };
  await handles.load(handle, options);
  if (holder?.handle !== undefined) await handles.load(holder.handle, options);
  blocks.put(blocks.get(record.cidr) ?? record);
  const attribute = ownedAttribute(host, handle, mac, clock.now());
  try {
    const claimed = await queue.submit(record.cidr, work(live, attribute, host), options.signal);
    return { type: claimed === undefined ? 'held' : 'claimed' };
  } catch (error) {
    if (!(error instanceof Fault) || error.reason !== CONFLICT) throw error;
    return { type: 'conflict', holder: error.message };
  }
}

function work(live: LiveAddress, attribute: BlockAttribute, host: Host): BlockWork {
  const { address, handle } = live;
  return {
    type: 'claim',
    handle,
    // Neither a closed pool nor strict affinity counts: the address is in use.
    apply: (edit, record, handles) => {
      const now = edit.holderOf(address);
      if (now !== undefined && isHeld(now, live)) return undefined;
      if (now !== undefined && !mayReplace(now, live, host))
        throw new Fault('exists', describeHolder(now), { reason: CONFLICT });
      if (now !== undefined) {
        edit.release(address);
        if (now.handle !== undefined) handles.add(now.handle, record.cidr, -1);
      }
      edit.claim(address, attribute);
      return address;
    },
    happened: (stored) => {
      const now = holderOf(stored, address);
      return now !== undefined && isHeld(now, live) ? address : undefined;
    },
  };
}

/** Networks share gateways: whichever of them holds one holds it for all. */
function isHeld(holder: BlockAttribute, { handle }: LiveAddress): boolean {
  if (holder.handle === handle) return true;
  return isPoolHandle(handle) && isPoolHandle(holder.handle);
}

/** What cools down is nobody's, and what an earlier container of this host had is free for the one that has it now. */
function mayReplace(holder: BlockAttribute, { handle }: LiveAddress, host: Host): boolean {
  if (holder.releasedAt !== undefined) return true;
  return isOurs(holder, host) && !isPoolHandle(holder.handle) && !isPoolHandle(handle);
}

/** True when the catalog has a pool for the address. */
export function hasPool({ pools }: Catalog, address: Address): boolean {
  return (
    poolOf(
      pools.map(({ value }) => value),
      address,
    ) !== undefined
  );
}
