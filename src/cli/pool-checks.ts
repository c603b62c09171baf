import { isFault, messageOf } from '../base/index.js';
import { blockPrefix, resourcePrefix, type CallOptions, type Store } from '../datastore/index.js';
import { Cidr, type Family, type IpPool } from '../model/index.js';
import {
  checkPoolBlocks,
  checkPoolOverlap,
  decodeIpPool,
  invalidFields,
  stringOf,
  type Resource,
} from '../model/v3/index.js';
import type { Io } from './io.js';
import type { WriteCheck } from './objects.js';

/** All pools that can be understood; of the others the user is told. */
export async function readPools(io: Io, store: Store, options?: CallOptions): Promise<IpPool[]> {
  const { entries } = await store.list(resourcePrefix('ippools'), options);
  return entries.flatMap(({ key, value }) => {
    try {
      return [decodeIpPool(value, key)];
    } catch (error) {
      if (!isFault(error, 'corrupt')) throw error;
      io.err(`note: ${messageOf(error)}\n`);
      return [];
    }
  });
}

/** The CIDR of a block, out of its key: `…/10.20.0.64-26`. */
export function blockOfKey(key: string): Cidr | undefined {
  const segment = key.slice(key.lastIndexOf('/') + 1);
  const dash = segment.lastIndexOf('-');
  return Cidr.tryParse(`${segment.slice(0, dash)}/${segment.slice(dash + 1)}`);
}

/** A new pool overlaps no other, and no block of another size is left in it; a changed one stays apart. */
export function poolCheck(io: Io, store: Store, options?: CallOptions): WriteCheck {
  return async (next: Resource, previous) => {
    const overlaps = checkPoolOverlap(next, await readPools(io, store, options));
    if (overlaps.length > 0) throw invalidFields(overlaps);
    if (previous !== undefined) return;
    const family: Family = stringOf(next.spec, 'cidr').includes(':') ? 6 : 4;
    const { entries } = await store.list(blockPrefix(family), options);
    const blocks = entries.map(({ key }) => blockOfKey(key)).filter((cidr) => cidr !== undefined);
    const problems = checkPoolBlocks(next, blocks);
    if (problems.length > 0) throw invalidFields(problems);
  };
}
