import { Fault, toFault, type Clock } from '../base/index.js';
import {
  affinityKey,
  blockKey,
  handleKey,
  type Compare,
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
/** What the planning needs to know of a waiting item. */
export interface PlannedItem {
  readonly work: BlockWork;
  reject(fault: Fault): void;
}

export interface BlockPlan<I> {
  readonly items: readonly { readonly item: I; readonly address: Address | undefined }[];
  /** Undefined when no item changes anything. */
  readonly write: BlockWrite | undefined;
}

export interface BlockWrite {
  readonly next: Block;
  readonly handles: HandleEdit;
  readonly transaction: Transaction;
  readonly confirmsAffinity: boolean;
}

/** What the planning decides from; it changes none of them. */
export interface BlockParts {
  readonly node: string;
  readonly catalog: Catalog;
  readonly blocks: BlockCache;
  readonly handles: HandleBook;
  readonly clock: Clock;
}

/** Items that the block refuses are rejected; the others become one write. */
export function planBlock<I extends PlannedItem>(
  parts: BlockParts,
  cidr: Cidr,
  items: readonly I[],
): BlockPlan<I> {
  const { blocks, handles: book } = parts;
  const record = blocks.get(cidr);
  const accepted: { item: I; address: Address | undefined }[] = [];
  if (record === undefined) {
    for (const item of items) item.reject(lost(cidr));
    return { items: [], write: undefined };
  }
  const edit = new BlockEdit(record.block);
  collectCooled(parts, edit, record.block);
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
  const write = changes ? blockWrite(parts, record, edit.finish(), handles, accepted) : undefined;
  return { items: accepted, write };
}

function collectCooled({ catalog, clock }: BlockParts, edit: BlockEdit, block: Block): void {
  if (!block.attributes.some(({ releasedAt }) => releasedAt !== undefined)) return;
  edit.collectCooled(clock.now() - catalog.config.value.ipCooldownSeconds * 1000);
}

function blockWrite(
  parts: BlockParts,
  record: CachedBlock,
  next: Block,
  handles: HandleEdit,
  items: BlockPlan<PlannedItem>['items'],
): BlockWrite {
  const { cidr } = record;
  const { blocks, node } = parts;
  const claims = items.some(({ item }) => item.work.type === 'claim');
  const compares = new Map<string, bigint>([[blockKey(cidr), record.revision]]);
  if (claims) for (const { key, revision } of decidedFrom(parts, cidr)) compares.set(key, revision);
  const own = blocks.isOwn(next);
  if (own && claims) compares.set(affinityKey(node, cidr), record.affinity.revision);
  const confirmsAffinity =
    own && claims && (record.affinity.revision === 0n || record.affinity.state !== 'confirmed');
  // A block that nobody owns and nothing uses goes, as in Calico.
  const value = next.affinity === null && isEmpty(next) ? null : encodeBlock(next);
  const writes: Write[] = [{ key: blockKey(cidr), value }];
  if (confirmsAffinity)
    writes.push({ key: affinityKey(node, cidr), value: encodeAffinity('confirmed') });
  for (const handle of handles.handles) compares.set(handleKey(handle), handles.revisionOf(handle));
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

/** What a claim in this block was decided from: nothing of it may have changed. */
function decidedFrom({ catalog }: BlockParts, cidr: Cidr): readonly Compare[] {
  const pool = catalog.pools.find(({ value }) => value.cidr.containsCidr(cidr));
  return [catalog.config, catalog.node, ...(pool === undefined ? [] : [pool])];
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
