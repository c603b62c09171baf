import { isFault } from '../base/index.js';
import type { CommitResult, Store, Transaction } from '../datastore/index.js';

/**
 * A commit whose answer was lost is decided by reading `key` again: with the value that was to be
 * written it happened. `commit` is the store's own or a queue's. Any other failure is passed on.
 */
export async function commitOrSettle(
  store: Store,
  commit: (transaction: Transaction) => Promise<CommitResult>,
  transaction: Transaction,
  key: string,
): Promise<CommitResult> {
  try {
    return await commit(transaction);
  } catch (error) {
    if (!isFault(error, 'outcome-unknown')) throw error;
    const wanted = transaction.writes.find((write) => write.key === key)?.value ?? null;
    // The read's failure says nothing more than the lost answer did.
    const entry = await store.get(key).catch(() => {
      throw error;
    });
    if ((entry?.value ?? null) !== wanted) throw error;
    return { committed: true, revision: entry?.revision ?? 0n };
  }
}
