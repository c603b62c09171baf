import { Fault } from '../base/index.js';
import {
  blockPrefix,
  commitOrConflict,
  handleKey,
  retryOnConflict,
  type CallOptions,
  type Compare,
  type Entry,
  type Store,
  type Write,
} from '../datastore/index.js';
import { BlockEdit, holderOf, isEmpty, type Address, type Block } from '../model/index.js';
import { decodeBlock, decodeHandle, encodeBlock, encodeHandle } from '../model/v3/index.js';
import { blockOfKey } from './pool-checks.js';

const ATTEMPTS = 10;

/** A block with the revision it was read at. */
export interface StoredBlock {
  readonly entry: Entry;
  readonly block: Block;
}

/** The block that holds an address, whatever its size; undefined when there is none. */
export async function findBlock(
  store: Store,
  address: Address,
  nowMs: number,
  options?: CallOptions,
): Promise<StoredBlock | undefined> {
  const { entries } = await store.list(blockPrefix(address.family), options);
  const entry = entries.find(({ key }) => blockOfKey(key)?.contains(address) === true);
  return entry === undefined ? undefined : { entry, block: decodeBlock(entry.value, nowMs) };
}

export interface ReleaseOptions extends CallOptions {
  /** Frees only what is this node's, or nobody's in particular: a stale record must not free more. */
  readonly node?: string;
}

/**
 * Frees one address together with its handle's count; an ownerless block that becomes empty goes
 * (datamodel §2.9). `false` when the address was free, or another node's.
 */
export async function releaseAddress(
  store: Store,
  address: Address,
  nowMs: number,
  options: ReleaseOptions = {},
): Promise<boolean> {
  return retryOnConflict(ATTEMPTS, async () => {
    const found = await findBlock(store, address, nowMs, options);
    if (found === undefined) return false;
    const { block, entry } = found;
    const holder = holderOf(block, address);
    if (holder === undefined || holder.releasedAt !== undefined) return false;
    const owner = holder.secondary['node'];
    if (options.node !== undefined && owner !== undefined && owner !== options.node) return false;
    const edit = new BlockEdit(block);
    edit.release(address);
    const next = edit.finish();
    const gone = next.affinity === null && isEmpty(next);
    const compares: Compare[] = [{ key: entry.key, revision: entry.revision }];
    const writes: Write[] = [{ key: entry.key, value: gone ? null : encodeBlock(next) }];
    if (holder.handle !== undefined) {
      const key = handleKey(holder.handle);
      const handle = await store.get(key, options);
      compares.push({ key, revision: handle?.revision ?? 0n });
      if (handle !== undefined) writes.push({ key, value: lessOne(handle.value, block) });
    }
    await commitOrConflict(store, { compares, writes }, `block ${block.cidr}`, options);
    return true;
  });
}

/** The handle's text with one address less in the block; null when nothing is left. */
function lessOne(text: string, block: Block): string | null {
  const counts = new Map(decodeHandle(text));
  const name = block.cidr.toString();
  const left = (counts.get(name) ?? 1) - 1;
  if (left > 0) counts.set(name, left);
  else counts.delete(name);
  return counts.size === 0 ? null : encodeHandle(counts);
}

/** Refuses words that are no address with the message that calicoctl has for it. */
export function notAnAddress(text: string): Fault {
  return new Fault('invalid', `invalid IP address specified: ${text}`, { reason: 'bad-address' });
}
