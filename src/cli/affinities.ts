import { Fault, isFault } from '../base/index.js';
import {
  affinityPrefix,
  allAffinitiesPrefix,
  blockKey,
  commitOrConflict,
  retryOnConflict,
  type CallOptions,
  type Store,
  type Write,
} from '../datastore/index.js';
import { BlockEdit, families, hostAffinity, isEmpty, type Cidr } from '../model/index.js';
import { decodeBlock, encodeBlock } from '../model/v3/index.js';
import { blockOfKey } from './pool-checks.js';

/** A host's claim on a block. */
export interface AffinityRef {
  readonly key: string;
  readonly node: string;
  readonly block: Cidr;
}

const ATTEMPTS = 10;

/** The claims of all hosts, or of one. */
export async function listAffinities(
  store: Store,
  node?: string,
  options?: CallOptions,
): Promise<AffinityRef[]> {
  const prefixes =
    node === undefined
      ? [allAffinitiesPrefix]
      : families.map((family) => affinityPrefix(node, family));
  const found: AffinityRef[] = [];
  for (const prefix of prefixes) {
    const { entries } = await store.list(prefix, options);
    for (const { key } of entries) {
      const match = /\/host\/([^/]+)\/ipv[46]\/block\/[^/]+$/.exec(key);
      const block = blockOfKey(key);
      if (match?.[1] !== undefined && block !== undefined)
        found.push({ key, node: match[1], block });
    }
  }
  return found;
}

/**
 * Gives up a claim: an empty block goes, another loses its owner and keeps its addresses
 * (datamodel §2.11). Block and claim change in one commit; a claim that is gone is no error.
 */
export async function releaseAffinity(
  store: Store,
  affinity: AffinityRef,
  nowMs: number,
  options?: CallOptions,
): Promise<void> {
  await retryOnConflict(ATTEMPTS, async () => {
    const keyOfBlock = blockKey(affinity.block);
    const read = await store.getMany([affinity.key, keyOfBlock], options);
    const claim = read.get(affinity.key);
    if (claim === undefined) return;
    const stored = read.get(keyOfBlock);
    const writes: Write[] = [{ key: affinity.key, value: null }];
    const block = stored === undefined ? undefined : decodeBlock(stored.value, nowMs);
    // A block that belongs to someone else by now is none of this claim's business.
    if (block !== undefined && block.affinity === hostAffinity(affinity.node)) {
      const edit = new BlockEdit(block);
      edit.setAffinity(null, '');
      writes.push({ key: keyOfBlock, value: isEmpty(block) ? null : encodeBlock(edit.finish()) });
    }
    await commitOrConflict(
      store,
      {
        compares: [
          { key: affinity.key, revision: claim.revision },
          { key: keyOfBlock, revision: stored?.revision ?? 0n },
        ],
        writes,
      },
      `block ${affinity.block}`,
      options,
    );
  });
}

/** Releases several claims and carries on past failures; throws the first one with their number. */
export async function releaseAffinities(
  store: Store,
  affinities: readonly AffinityRef[],
  nowMs: number,
  options?: CallOptions,
): Promise<void> {
  const failures: Fault[] = [];
  for (const affinity of affinities) {
    try {
      await releaseAffinity(store, affinity, nowMs, options);
    } catch (error) {
      if (!isFault(error)) throw error;
      failures.push(error);
    }
  }
  const [first] = failures;
  if (first === undefined) return;
  const message = `${failures.length} of ${affinities.length} blocks could not be released: ${first.message}`;
  throw new Fault(first.kind, message, { cause: first });
}
