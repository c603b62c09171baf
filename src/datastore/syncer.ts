import {
  abortFault,
  backoff,
  Fault,
  messageOf,
  orAbort,
  sleep,
  systemClock,
  toFault,
  type Clock,
  type Log,
} from '../base/index.js';
import { deferred, type Deferred } from './deferred.js';
import type { Change, Entry, Store, Watch } from './store.js';

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
  readonly clock?: Clock;
}

export interface Syncer {
  /** Settles after the first snapshot was delivered; rejects with the abort fault. */
  ready(signal?: AbortSignal): Promise<void>;
  readonly inSync: boolean;
  /** No call of the listener follows; `ready` rejects. */
  stop(): void;
}

const FIRST_PAUSE_MS = 100;
const LAST_PAUSE_MS = 10_000;
/** A watch that lived this long was a good one: the next pause is the first again. */
const GOOD_WATCH_MS = 30_000;

/**
 * Starts at once: lists all prefixes as of one revision, tells that, and watches from the revision
 * after it. Whatever ends the watch (compaction, a lost member, a cut connection) is answered alike:
 * a pause, a new list, `onSnapshot` again. A listener that throws is logged and treated as a lost watch.
 */
export function createSyncer(options: SyncerOptions): Syncer {
  const { log, clock = systemClock } = options;
  const stopping = new AbortController();
  const first = deferred<void>();
  first.promise.catch(() => undefined);
  let inSync = false;

  async function run(): Promise<void> {
    let pauses = backoff(FIRST_PAUSE_MS, LAST_PAUSE_MS);
    let told = false;
    while (!stopping.signal.aborted) {
      const started = clock.monotonic();
      const lost = await oneRound();
      inSync = false;
      if (stopping.signal.aborted) return;
      if (clock.monotonic() - started >= GOOD_WATCH_MS) {
        pauses = backoff(FIRST_PAUSE_MS, LAST_PAUSE_MS);
        told = false;
      }
      const fields = { prefixes: options.prefixes, reason: lost.reason, cause: lost.message };
      log[told ? 'debug' : 'warn'](fields, 'watch of the datastore lost, reading everything again');
      told = true;
      await sleep(pauses.next().value, stopping.signal).catch(() => undefined);
    }
  }

  /** Settles when the round is over, with the reason. */
  async function oneRound(): Promise<Fault> {
    const over = deferred<Fault>();
    let watch: Watch | undefined;
    try {
      const { entries, revision } = await options.store.list(options.prefixes, stopping);
      if (stopping.signal.aborted) throw abortFault(stopping.signal);
      options.listener.onSnapshot(new Map(entries.map((entry) => [entry.key, entry])));
      inSync = true;
      first.resolve();
      watch = options.store.watch({
        prefixes: options.prefixes,
        from: revision + 1n,
        onChanges: (changes) => deliver(changes, over),
        onLost: (reason) => over.resolve(reason),
      });
      return await orAbort(over.promise, stopping.signal);
    } catch (error) {
      if (!(error instanceof Fault))
        log.error({ err: error }, 'a listener of the datastore failed');
      return toFault(error);
    } finally {
      watch?.close();
    }
  }

  function deliver(changes: readonly Change[], over: Deferred<Fault>): void {
    try {
      for (const change of changes) {
        if (!inSync || stopping.signal.aborted) return;
        const entry = change.type === 'put' ? change.entry : undefined;
        options.listener.onChange(change.type === 'put' ? change.entry.key : change.key, entry);
      }
    } catch (error) {
      inSync = false;
      log.error({ err: error }, 'a listener of the datastore failed');
      over.resolve(
        new Fault('internal', `a listener failed: ${messageOf(error)}`, { cause: error }),
      );
    }
  }

  void run();
  return {
    get inSync() {
      return inSync;
    },
    ready: (signal) => (signal === undefined ? first.promise : orAbort(first.promise, signal)),
    stop: () => {
      inSync = false;
      stopping.abort(new Fault('unavailable', 'the syncer was stopped', { reason: 'stopped' }));
      first.reject(abortFault(stopping.signal));
    },
  };
}
