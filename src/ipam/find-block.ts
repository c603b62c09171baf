import type { Clock } from '../base/index.js';
import { affinityKey, blockKey, type CallOptions, type Store } from '../datastore/index.js';
import {
  BlockEdit,
  type Cidr,
  hostAffinity,
  isEmpty,
  type Address,
  type Block,
  type IpPool,
} from '../model/index.js';
import { encodeAffinity, encodeBlock } from '../model/v3/index.js';
import type { BlockCache, CachedBlock } from './block-cache.js';
import type { Catalog, Versioned } from './catalog.js';
import { blockOrder, coversOwnHost, reservedIn } from './pools.js';

export interface FindBlockParts {
  readonly store: Store;
  readonly node: string;
  readonly catalog: Catalog;
  readonly blocks: BlockCache;
  readonly clock: Clock;
  /** A local endpoint has the address, whatever the store says of it. */
  readonly isBound: (address: Address) => boolean;
}

export interface BlockSearch {
  readonly pools: readonly Versioned<IpPool>[];
  /** Only blocks that have addresses inside. */
  readonly range: Cidr | undefined;
}

/** An empty block of another host may be taken over this long after it was claimed. */
const RECLAIM_AGE_MS = 60_000;
const SURVEY_CHUNK = 32;

/** Looks at the pools' blocks from this host's start on: the first free one becomes a draft of ours, made by the first claim. */
export async function findBlock(
  parts: FindBlockParts,
  request: BlockSearch,
  options: CallOptions,
): Promise<'found' | readonly CachedBlock[]> {
  const { blocks, node } = parts;
  const seen: CachedBlock[] = [];
  for (const { value: pool } of request.pools) {
    const within =
      request.range !== undefined && pool.cidr.containsCidr(request.range)
        ? request.range
        : pool.cidr;
    let chunk: Cidr[] = [];
    const order = blockOrder(pool, within, node);
    for (let next = order.next(); ; next = order.next()) {
      if (next.done !== true) chunk.push(next.value);
      if (chunk.length === 0) break;
      if (next.done !== true && chunk.length < (seen.length === 0 ? 1 : SURVEY_CHUNK)) continue;
      const records = await blocks.survey(chunk, options);
      chunk = [];
      const free = records.find(
        ({ revision, cidr }) => revision === 0n && hasUsable(parts, request, cidr),
      );
      if (free !== undefined) {
        blocks.put(free);
        return 'found';
      }
      seen.push(...records);
    }
  }
  return (await reclaim(parts, seen, options)) ? 'found' : seen;
}

/** An address of a block without this host that is neither reserved, nor outside the range, nor in use by an endpoint here. */
function hasUsable(
  { catalog, isBound }: FindBlockParts,
  { range }: BlockSearch,
  cidr: Cidr,
): boolean {
  if (coversOwnHost(catalog, cidr)) return false;
  const reserved = reservedIn(catalog);
  for (let ordinal = 0; ordinal < Number(cidr.size); ordinal += 1) {
    const address = cidr.addressAt(ordinal);
    if (reserved(address) || isBound(address)) continue;
    if (range === undefined || range.contains(address)) return true;
  }
  return false;
}

/** Takes over an empty block whose claim is old enough: block and both affinities in one commit. */
async function reclaim(
  parts: FindBlockParts,
  seen: readonly CachedBlock[],
  options: CallOptions,
): Promise<boolean> {
  const { clock, store, blocks, node } = parts;
  const oldest = clock.now() - RECLAIM_AGE_MS;
  for (const record of seen) {
    const owner = foreignHost(record.block, node);
    if (owner === undefined || !isEmpty(record.block) || claimedAfter(record.block, oldest))
      continue;
    const theirs = await store.get(affinityKey(owner, record.cidr), options);
    const edit = new BlockEdit(record.block);
    edit.setAffinity(
      hostAffinity(node),
      new Date(clock.now()).toISOString().replace(/\.\d+Z$/, 'Z'),
    );
    const block = edit.finish();
    const result = await store.commit(
      {
        compares: [
          { key: blockKey(record.cidr), revision: record.revision },
          { key: affinityKey(node, record.cidr), revision: record.affinity.revision },
          { key: affinityKey(owner, record.cidr), revision: theirs?.revision ?? 0n },
        ],
        writes: [
          { key: blockKey(record.cidr), value: encodeBlock(block) },
          { key: affinityKey(node, record.cidr), value: encodeAffinity('confirmed') },
          ...(theirs === undefined ? [] : [{ key: theirs.key, value: null }]),
        ],
      },
      options,
    );
    if (!result.committed) continue;
    const affinity = { state: 'confirmed', revision: result.revision } as const;
    blocks.put({ cidr: record.cidr, block, revision: result.revision, affinity });
    return true;
  }
  return false;
}

/** The other host that owns the block, if a host does. */
function foreignHost(block: Block, node: string): string | undefined {
  const owner =
    block.affinity?.startsWith('host:') === true ? block.affinity.slice('host:'.length) : undefined;
  return owner === node ? undefined : owner;
}

function claimedAfter(block: Block, atMs: number): boolean {
  const claimed = Date.parse(block.claimTime);
  return !Number.isNaN(claimed) && claimed > atMs;
}
