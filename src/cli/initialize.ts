import { isFault, messageOf } from '../base/index.js';
import {
  commitOrConflict,
  resourceKey,
  retryOnConflict,
  type CallOptions,
  type Compare,
  type Store,
  type Write,
} from '../datastore/index.js';
import { completeClusterInformation, initialObjects, newClusterGuid } from '../model/v3/index.js';
import type { Io } from './io.js';

const ATTEMPTS = 5;

/**
 * Gives a fresh datastore its ClusterInformation and built-in tiers, as every Calico client does
 * before it writes (datamodel §1.13). One read, and one commit only when something is missing. A user
 * who may write objects but not these gets a note instead of a failure.
 */
export async function ensureInitialized(
  io: Io,
  store: Store,
  options?: CallOptions,
): Promise<void> {
  try {
    await retryOnConflict(ATTEMPTS, async () => initializeOnce(io, store, options));
  } catch (error) {
    if (!isFault(error, 'refused', 'corrupt')) throw error;
    io.err(`note: the datastore could not be initialized: ${messageOf(error)}\n`);
  }
}

async function initializeOnce(io: Io, store: Store, options?: CallOptions): Promise<void> {
  const wanted = initialObjects(io.newUid, io.now()).map(({ plural, name, value }) => ({
    key: resourceKey(plural, name),
    value,
  }));
  const present = await store.getMany(
    wanted.map(({ key }) => key),
    options,
  );
  const compares: Compare[] = [];
  const writes: Write[] = [];
  for (const { key, value } of wanted) {
    const entry = present.get(key);
    const next =
      entry === undefined
        ? value
        : key === wanted[0]?.key
          ? completeClusterInformation(entry.value, newClusterGuid(io.newUid))
          : undefined;
    if (next === undefined) continue;
    compares.push({ key, revision: entry?.revision ?? 0n });
    writes.push({ key, value: next });
  }
  if (writes.length === 0) return;
  await commitOrConflict(store, { compares, writes }, 'the initial state', options);
}
