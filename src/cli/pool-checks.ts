import { isFault, messageOf } from '../base/index.js';
import { blockPrefix, resourcePrefix, type CallOptions, type Store } from '../datastore/index.js';
import { Cidr, hostAddressesOf, type Family, type IpPool } from '../model/index.js';
import {
  checkPoolBlocks,
  checkPoolOverlap,
  decodeIpPool,
  decodeNode,
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

/** What to warn of a pool with addresses of hosts in it; undefined when there are none. */
export async function coveredHosts(
  store: Store,
  { spec }: Resource,
  options?: CallOptions,
): Promise<string | undefined> {
  const cidr = Cidr.tryParse(stringOf(spec, 'cidr'));
  if (cidr === undefined) return undefined;
  const { entries } = await store.list(resourcePrefix('nodes'), options);
  const covered = entries.flatMap(({ key, value }) => {
    try {
      const node = decodeNode(value, key);
      return hostAddressesOf(node).some((address) => cidr.contains(address)) ? [node.name] : [];
    } catch (error) {
      if (!isFault(error, 'corrupt')) throw error;
      return [];
    }
  });
  if (covered.length === 0) return undefined;
  const more = covered.length > MOST_NAMED ? ', …' : '';
  return `${cidr} contains the addresses of ${covered.slice(0, MOST_NAMED).join(', ')}${more}: these hosts give out none of its addresses; use a network that no host is in`;
}

/** Of the nodes that a pool covers. */
const MOST_NAMED = 5;

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
