import type { Log } from '../base/index.js';
import type { Entry, Store } from './store.js';

/** What a syncer tells. Called one at a time, in order; must not throw. */
export interface SyncListener {
  /** The whole state below the prefixes: once at the start, and again after any lost watch. */
  onSnapshot(all: ReadonlyMap<string, Entry>): void;
  /** One key after the snapshot; `entry` is undefined when it was deleted. */
  onChange(key: string, entry: Entry | undefined): void;
}

export interface SyncerOptions {
  readonly store: Store;
  readonly prefixes: readonly string[];
  readonly listener: SyncListener;
  readonly log: Log;
}

export interface Syncer {
  /** Settles after the first snapshot was delivered; rejects with the abort fault. */
  ready(signal?: AbortSignal): Promise<void>;
  readonly inSync: boolean;
  stop(): void;
}
