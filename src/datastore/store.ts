import type { Fault } from '../base/index.js';

/** One stored value with the revision of its last change. */
export interface Entry {
  readonly key: string;
  /** UTF-8 text, JSON for everything of ours. */
  readonly value: string;
  /** Revision at which the key was last written (etcd's mod_revision). */
  readonly revision: bigint;
}

export interface Snapshot {
  /** In key order. */
  readonly entries: readonly Entry[];
  /** Store revision of which this is the state; a watch continues at `revision + 1n`. */
  readonly revision: bigint;
}

/** The key must still have this revision; `0n` means it must not exist. */
export interface Compare {
  readonly key: string;
  readonly revision: bigint;
}

/** `value: null` deletes; deleting an absent key is no error. */
export interface Write {
  readonly key: string;
  readonly value: string | null;
}

export interface Transaction {
  readonly compares: readonly Compare[];
  readonly writes: readonly Write[];
  /** Keys to read, in the same round trip, when a compare fails. */
  readonly reads?: readonly string[];
}

export type CommitResult =
  | { readonly committed: true; readonly revision: bigint }
  | {
      readonly committed: false;
      readonly revision: bigint;
      /** One member per key of `reads`; undefined for keys that do not exist. */
      readonly current: ReadonlyMap<string, Entry | undefined>;
    };

export interface CallOptions {
  readonly signal?: AbortSignal;
}

export type Change =
  | { readonly type: 'put'; readonly entry: Entry }
  | { readonly type: 'delete'; readonly key: string; readonly revision: bigint };

export interface WatchOptions {
  /** Every key that begins with one of these. */
  readonly prefixes: readonly string[];
  /** First revision to be delivered. */
  readonly from: bigint;
  /** Changes of one or more whole revisions, in order, each once. Must not throw. */
  readonly onChanges: (changes: readonly Change[]) => void;
  /** The watch is over and has to be replaced by a new snapshot: compacted, cut off, or the store restarted. */
  readonly onLost: (reason: Fault) => void;
}

export interface Watch {
  close(): void;
}

/** A key that vanishes when its holder stops keeping it alive. */
export interface Hold {
  /** Fires when the hold was lost without `release`. */
  readonly lost: AbortSignal;
  release(): Promise<void>;
}

/**
 * The datastore as every room sees it. Two implementations, `etcdv3` and `embedded`, fulfil one
 * contract suite (test/fixtures/store-contract.ts).
 *
 * Failures are faults: `unavailable` (cannot be reached; says why and which endpoints), `timeout`,
 * `refused` (authentication, permission, out of space, read-only), `outcome-unknown` (only from
 * `commit`: it may or may not have happened), `invalid` (request too large). A failed compare is a
 * value, not a fault.
 */
export interface Store {
  readonly type: 'etcdv3' | 'embedded';
  /** For messages: the endpoints, or the folder. Never credentials. */
  readonly description: string;
  /**
   * Fires when it was noticed that another datastore answers than before; from then on every call is refused, and only a
   * store that is opened anew serves again. Absent where that cannot happen while it is open.
   */
  readonly exchanged?: AbortSignal;
  get(key: string, options?: CallOptions): Promise<Entry | undefined>;
  /** Several keys as of one revision. */
  getMany(
    keys: readonly string[],
    options?: CallOptions,
  ): Promise<ReadonlyMap<string, Entry | undefined>>;
  /** One prefix, or several as of one revision; a key below two of them appears once. */
  list(prefix: string | readonly string[], options?: CallOptions): Promise<Snapshot>;
  /** All compares hold and all writes happen, atomically, at one revision; or nothing does. */
  commit(transaction: Transaction, options?: CallOptions): Promise<CommitResult>;
  watch(options: WatchOptions): Watch;
  /** Creates the key, which must not exist; `exists` fault with `details.value` when another holder has it. */
  hold(key: string, value: string, ttlSeconds: number, options?: CallOptions): Promise<Hold>;
  /** Identity of the store itself: etcd's cluster id, or one made with the embedded file; and its newest revision. */
  identify(options?: CallOptions): Promise<{ readonly id: string; readonly revision: bigint }>;
  close(): Promise<void>;
}
