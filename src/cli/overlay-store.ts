import { Fault } from '../base/index.js';
import {
  checkTransaction,
  type CallOptions,
  type CommitResult,
  type Entry,
  type Snapshot,
  type Store,
  type Transaction,
} from '../datastore/index.js';

/** A datastore in which writes can be tried: they are seen by later reads, and reach nobody. */
export interface OverlayStore extends Store {
  /** What was written, by key; null was deleted. */
  readonly written: ReadonlyMap<string, Entry | null>;
}

/** Reads go to `base` except for keys that were written here. Closing it leaves `base` open. */
export function createOverlayStore(base: Store): OverlayStore {
  const written = new Map<string, Entry | null>();
  let newest = 0n;
  const seen = (entry: Entry | undefined): void => {
    if (entry !== undefined && entry.revision > newest) newest = entry.revision;
  };

  async function get(key: string, options?: CallOptions): Promise<Entry | undefined> {
    const own = written.get(key);
    if (own !== undefined) return own ?? undefined;
    const entry = await base.get(key, options);
    seen(entry);
    return entry;
  }

  async function getMany(
    keys: readonly string[],
    options?: CallOptions,
  ): Promise<ReadonlyMap<string, Entry | undefined>> {
    const found = new Map(await base.getMany(keys, options));
    for (const key of keys) {
      const own = written.get(key);
      if (own === undefined) seen(found.get(key));
      else found.set(key, own ?? undefined);
    }
    return found;
  }

  async function list(
    prefix: string | readonly string[],
    options?: CallOptions,
  ): Promise<Snapshot> {
    const { entries, revision } = await base.list(prefix, options);
    const prefixes = typeof prefix === 'string' ? [prefix] : prefix;
    const merged = new Map(entries.map((entry) => [entry.key, entry]));
    for (const [key, own] of written) {
      if (own === null) merged.delete(key);
      else if (prefixes.some((each) => key.startsWith(each))) merged.set(key, own);
    }
    if (revision > newest) newest = revision;
    return { entries: [...merged.values()].sort(byKey), revision: newest };
  }

  async function commit(transaction: Transaction, options?: CallOptions): Promise<CommitResult> {
    checkTransaction(transaction);
    const { compares, writes, reads = [] } = transaction;
    const present = await getMany(
      compares.map(({ key }) => key),
      options,
    );
    const holds = compares.every(
      ({ key, revision }) => (present.get(key)?.revision ?? 0n) === revision,
    );
    if (!holds) {
      return { committed: false, revision: newest, current: await getMany(reads, options) };
    }
    newest += 1n;
    for (const { key, value } of writes) {
      written.set(key, value === null ? null : { key, value, revision: newest });
    }
    return { committed: true, revision: newest };
  }

  const refuse = (what: string): never => {
    throw new Fault('unsupported', `${what} is not possible in a dry run`);
  };
  return {
    ...{ type: base.type, description: base.description, written },
    ...{ get, getMany, list, commit },
    watch: () => refuse('watching'),
    hold: async () => refuse('holding a key'),
    identify: async (options) => base.identify(options),
    close: async () => undefined,
  };
}

function byKey(left: Entry, right: Entry): number {
  return Buffer.compare(Buffer.from(left.key), Buffer.from(right.key));
}
