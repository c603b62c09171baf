import { isFault, messageOf } from '../base/index.js';
import { blockPrefix, type CallOptions, type Store } from '../datastore/index.js';
import { families } from '../model/index.js';
import { decodeBlock } from '../model/v3/index.js';
import type { StoredBlock } from './addresses.js';
import type { Io } from './io.js';

/** All blocks in key order, IPv4 first; of those that cannot be understood the user is told. */
export async function listBlocks(
  io: Io,
  store: Store,
  options?: CallOptions,
): Promise<StoredBlock[]> {
  const blocks: StoredBlock[] = [];
  for (const family of families) {
    const { entries } = await store.list(blockPrefix(family), options);
    for (const entry of entries) {
      try {
        blocks.push({ entry, block: decodeBlock(entry.value, io.now().getTime()) });
      } catch (error) {
        if (!isFault(error, 'corrupt')) throw error;
        io.err(`note: ${entry.key}: ${messageOf(error)}\n`);
      }
    }
  }
  return blocks;
}
