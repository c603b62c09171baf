import { Fault, isFault } from '../base/index.js';
import type { CallOptions, Entry, Store, Transaction } from './store.js';

/** etcd's `--max-txn-ops`: most compares, writes, or reads in one transaction. */
export const MAX_OPERATIONS = 128;
/** etcd's `--max-request-bytes` (1.5 MiB), less room for the message around keys and values. */
export const MAX_REQUEST_BYTES = 1_572_864 - 65_536;

/** Far above any key of Calico's; the embedded store cannot index longer ones. */
export const MAX_KEY_BYTES = 1024;

/** A `conflict` that carries what the failed commit's reads returned, so that the next try need not ask again. */
export class ConflictFault extends Fault {
  readonly current: ReadonlyMap<string, Entry | undefined>;

  constructor(message: string, current: ReadonlyMap<string, Entry | undefined>) {
    super('conflict', message);
    this.current = current;
  }
}

/**
 * The only retry function of the program. Runs `fn` up to `attempts` times; only a fault of kind
 * `conflict` repeats, everything else leaves at once. Every try must read again what it decides from:
 * `attempt` counts from 1, `current` is what the failed commit of the try before read
 * (`commitOrConflict`), undefined when it read nothing.
 */
export async function retryOnConflict<T>(
  attempts: number,
  fn: (attempt: number, current?: ReadonlyMap<string, Entry | undefined>) => Promise<T>,
): Promise<T> {
  let current: ReadonlyMap<string, Entry | undefined> | undefined;
  for (let attempt = 1; ; attempt += 1) {
    try {
      return await fn(attempt, current);
    } catch (error) {
      if (!isFault(error, 'conflict')) throw error;
      if (attempt >= attempts) {
        const message = `${error.message}; gave up after ${attempts} attempts, try again`;
        throw new Fault('conflict', message, { reason: error.reason, cause: error });
      }
      current = error instanceof ConflictFault ? error.current : undefined;
    }
  }
}

/** Commits and returns the new revision; a failed compare is thrown as the conflict that `retryOnConflict` repeats. */
export async function commitOrConflict(
  store: Store,
  transaction: Transaction,
  what: string,
  options?: CallOptions,
): Promise<bigint> {
  const result = await store.commit(transaction, options);
  if (result.committed) return result.revision;
  throw new ConflictFault(`${what} was changed by somebody else meanwhile`, result.current);
}

/**
 * Throws `invalid` for what etcd would refuse, so that every store refuses it alike: more than 128
 * operations of one sort, a key written twice, an empty key, more than 1.5 MiB.
 */
export function checkTransaction(transaction: Transaction): void {
  const { compares, writes, reads = [] } = transaction;
  const operations = Math.max(compares.length, writes.length, reads.length);
  if (operations > MAX_OPERATIONS) {
    throw new Fault(
      'invalid',
      `a transaction may have ${MAX_OPERATIONS} operations, this one has ${operations}: split it`,
      { reason: 'too-many-operations' },
    );
  }
  const written = new Set<string>();
  let bytes = 0;
  for (const { key, value } of writes) {
    if (written.has(key)) {
      throw new Fault('invalid', `a transaction writes ${key} twice: write each key once`, {
        reason: 'duplicate-key',
      });
    }
    checkKey(key);
    written.add(key);
    bytes += Buffer.byteLength(key) + (value === null ? 0 : Buffer.byteLength(value));
  }
  for (const { key } of compares) {
    checkKey(key);
    bytes += Buffer.byteLength(key);
  }
  reads.forEach(checkKey);
  if (bytes > MAX_REQUEST_BYTES) {
    throw new Fault(
      'invalid',
      `a transaction may have ${MAX_REQUEST_BYTES} bytes, this one has ${bytes}: write less at once`,
      { reason: 'too-large' },
    );
  }
}

/** Throws `invalid` for the empty key, which etcd does not have, and for one that is too long. */
export function checkKey(key: string): void {
  if (key.length * 3 > MAX_KEY_BYTES && Buffer.byteLength(key) > MAX_KEY_BYTES) {
    const start = key.slice(0, 60);
    throw new Fault(
      'invalid',
      `a key may have ${MAX_KEY_BYTES} bytes, this one has ${Buffer.byteLength(key)}: ${start}…`,
      { reason: 'key-too-long' },
    );
  }
  if (key === '')
    throw new Fault('invalid', 'a key of the datastore may not be empty', { reason: 'empty-key' });
}
