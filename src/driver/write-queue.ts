import { toFault } from '../base/index.js';
import type { CommitResult, Store, Transaction } from '../datastore/index.js';

/** Most transactions in one commit: an endpoint has up to four writes, and etcd allows 128 operations. */
const MAX_GROUP = 30;
const MAX_OPERATIONS = 120;

interface Part {
  readonly transaction: Transaction;
  resolve(result: CommitResult): void;
  reject(error: unknown): void;
}

/**
 * Endpoint writes that wait while a commit is under way share the next one. A group whose compare
 * fails falls back to one by one, so that everybody gets an answer of his own.
 */
export class WriteQueue {
  readonly #store: Store;
  #waiting: Part[] = [];
  #busy = false;

  constructor(store: Store) {
    this.#store = store;
  }

  commit(transaction: Transaction): Promise<CommitResult> {
    return new Promise((resolve, reject) => {
      this.#waiting.push({ transaction, resolve, reject });
      if (!this.#busy) void this.#drain();
    });
  }

  async #drain(): Promise<void> {
    this.#busy = true;
    try {
      while (this.#waiting.length > 0) await this.#commitGroup(this.#takeGroup());
    } finally {
      this.#busy = false;
    }
  }

  /** Parts that touch a key of an earlier one wait for the next group: their compares would contradict. */
  #takeGroup(): Part[] {
    const group: Part[] = [];
    const later: Part[] = [];
    const keys = new Set<string>();
    let operations = 0;
    for (const part of this.#waiting) {
      const written = part.transaction.writes.map(({ key }) => key);
      const touched = [...written, ...part.transaction.compares.map(({ key }) => key)];
      const size = Math.max(
        part.transaction.compares.length,
        written.length,
        part.transaction.reads?.length ?? 0,
      );
      const clashes = touched.some((key) => keys.has(key));
      if (
        group.length > 0 &&
        (clashes || group.length >= MAX_GROUP || operations + size > MAX_OPERATIONS)
      ) {
        later.push(part);
        continue;
      }
      group.push(part);
      operations += size;
      for (const key of written) keys.add(key);
    }
    this.#waiting = later;
    return group;
  }

  async #commitGroup(group: readonly Part[]): Promise<void> {
    try {
      const result = await this.#store.commit(merged(group));
      if (result.committed || group.length === 1) {
        for (const part of group) part.resolve(result);
        return;
      }
    } catch (error) {
      const fault = toFault(error);
      if (group.length === 1 || fault.kind !== 'invalid') {
        for (const part of group) part.reject(fault);
        return;
      }
    }
    for (const part of group) await this.#commitGroup([part]);
  }
}

function merged(group: readonly Part[]): Transaction {
  const compares = new Map<string, bigint>();
  for (const { transaction } of group)
    for (const { key, revision } of transaction.compares) compares.set(key, revision);
  return {
    compares: [...compares].map(([key, revision]) => ({ key, revision })),
    writes: group.flatMap(({ transaction }) => transaction.writes),
    reads: [...new Set(group.flatMap(({ transaction }) => transaction.reads ?? []))],
  };
}
