import { Fault, messageOf, type Log } from '../../base/index.js';
import type { Change, Watch, WatchOptions } from '../index.js';

export interface HistoryOptions {
  /** Changes up to here are not known: the revision of the file when it was opened. */
  readonly start: bigint;
  readonly maxRevisions: number;
  readonly maxBytes: number;
  readonly log: Log;
}

/** The changes of one revision. */
export interface Step {
  readonly revision: bigint;
  readonly changes: readonly Change[];
}

/** The newest changes, kept in memory, and those who watch. */
export interface History {
  /** Steps in order, all durable. */
  append(steps: readonly Step[]): void;
  watch(options: WatchOptions): Watch;
  /** Ends every watch. */
  end(reason: Fault): void;
}

interface Watcher {
  readonly options: WatchOptions;
}

const keyOf = (change: Change): string => (change.type === 'put' ? change.entry.key : change.key);

function sizeOf({ changes }: Step): number {
  const each = (change: Change): number =>
    100 + keyOf(change).length + (change.type === 'put' ? change.entry.value.length : 0);
  return changes.reduce((sum, change) => sum + each(change), 0);
}

export function createHistory(options: HistoryOptions): History {
  const { log } = options;
  const watchers = new Set<Watcher>();
  let steps: Step[] = [];
  let bytes = 0;
  /** Every change after this revision is in `steps`. */
  let floor = options.start;

  function lose(watcher: Watcher, reason: Fault): void {
    if (!watchers.delete(watcher)) return;
    try {
      watcher.options.onLost(reason);
    } catch (error) {
      log.error({ err: error }, 'a listener of the datastore failed');
    }
  }

  function tell(watcher: Watcher, news: readonly Step[]): void {
    const { prefixes, from } = watcher.options;
    const wanted = news
      .filter((step) => step.revision >= from)
      .flatMap((step) => step.changes)
      .filter((change) => prefixes.some((prefix) => keyOf(change).startsWith(prefix)));
    if (wanted.length === 0) return;
    try {
      watcher.options.onChanges(wanted);
    } catch (error) {
      log.error({ err: error }, 'a listener of the datastore failed');
      lose(
        watcher,
        new Fault('internal', `a listener failed: ${messageOf(error)}`, { cause: error }),
      );
    }
  }

  function trim(): void {
    let drop = 0;
    while (steps.length - drop > options.maxRevisions || bytes > options.maxBytes) {
      const step = steps[drop];
      if (step === undefined) break;
      bytes -= sizeOf(step);
      floor = step.revision;
      drop += 1;
    }
    if (drop > 0) steps = steps.slice(drop);
  }

  function start(watcher: Watcher): void {
    if (!watchers.has(watcher)) return;
    const { from } = watcher.options;
    if (from > floor) {
      tell(watcher, steps);
      return;
    }
    const message = `the embedded datastore keeps changes after revision ${floor} only, ${from} was asked for`;
    lose(watcher, new Fault('unavailable', message, { reason: 'compacted' }));
  }

  return {
    append: (news) => {
      steps.push(...news);
      bytes += news.reduce((sum, step) => sum + sizeOf(step), 0);
      const last = steps.length - options.maxRevisions;
      // Trimming copies: not for every step.
      if (last > options.maxRevisions / 4 || bytes > options.maxBytes) trim();
      for (const watcher of [...watchers]) tell(watcher, news);
    },
    watch: (watchOptions) => {
      const watcher: Watcher = { options: watchOptions };
      watchers.add(watcher);
      start(watcher);
      return { close: () => void watchers.delete(watcher) };
    },
    end: (reason) => {
      for (const watcher of [...watchers]) lose(watcher, reason);
    },
  };
}
