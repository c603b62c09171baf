import type { Fault } from '../base/index.js';
import { exchangedFault } from './exchanged.js';
import type { CallOptions, Change, Entry, Snapshot, Store, Watch, WatchOptions } from './store.js';

/** Why the entry shows another datastore than before; undefined when it does not. */
export type Judge = (key: string, entry: Entry | undefined) => string | undefined;

/** Keys that tell whether the datastore is still the one that it was. */
export interface Sentinels {
  /** Read with every list, at its revision. */
  readonly listed: readonly string[];
  /** Watched with every watch that has a prefix of this beginning, so that nothing far away is watched with it. */
  readonly watched: { readonly key: string; readonly beside: string };
  /**
   * Called when a list is sent: what it brings is judged by what was known then, never by what happened since. Neither
   * call must throw.
   */
  judging(): Judge;
  /** Something was written, at this revision. Must not throw. */
  onWritten(revision: bigint): void;
}

/**
 * The same store until a sentinel shows that it is another one than before. Nothing of that one is delivered: no list, no
 * change of a watch; every later call is refused. Whoever follows the store keeps what it knew.
 */
export function withSentinels(inner: Store, sentinels: Sentinels): Store {
  const exchanged = new AbortController();
  inner.exchanged?.addEventListener('abort', () => exchanged.abort(inner.exchanged?.reason), {
    once: true,
  });

  const broken = (): Fault | undefined => exchanged.signal.reason as Fault | undefined;

  function refuse(): void {
    const fault = broken();
    if (fault !== undefined) throw fault;
  }

  function look(judge: Judge, key: string, entry: Entry | undefined): void {
    const why = judge(key, entry);
    if (why !== undefined && !exchanged.signal.aborted) exchanged.abort(exchangedFault(why));
  }

  async function list(
    prefix: string | readonly string[],
    options?: CallOptions,
  ): Promise<Snapshot> {
    refuse();
    const asked = typeof prefix === 'string' ? [prefix] : prefix;
    const judge = sentinels.judging();
    const { entries, revision } = await inner.list([...asked, ...sentinels.listed], options);
    // A whole cluster's entries pass here: all but a few are told from ours by two looks.
    const ours = ({ key }: Entry): boolean => sentinels.listed.some((each) => key.startsWith(each));
    const byKey = new Map(entries.filter(ours).map((entry) => [entry.key, entry]));
    for (const key of sentinels.listed) look(judge, key, byKey.get(key));
    refuse();
    const wanted = (entry: Entry): boolean =>
      !ours(entry) || asked.some((each) => entry.key.startsWith(each));
    return { entries: entries.filter(wanted), revision };
  }

  function watch(options: WatchOptions): Watch {
    const { key, beside } = sentinels.watched;
    const near = options.prefixes.some((prefix) => prefix.startsWith(beside));
    const prefixes = near ? [...options.prefixes, key] : options.prefixes;
    let lost = false;
    const lose = (fault: Fault): void => {
      if (lost) return;
      lost = true;
      opened?.close();
      options.onLost(fault);
    };
    let opened: Watch | undefined;
    const watching = inner.watch({
      prefixes,
      from: options.from,
      onLost: lose,
      onChanges: (changes) => {
        for (const change of changes) {
          if (near && keyOf(change) === key) look(sentinels.judging(), key, entryOf(change));
        }
        const fault = broken();
        if (fault !== undefined) lose(fault);
        else if (!lost) deliver(options, changes);
      },
    });
    opened = watching;
    if (lost) watching.close();
    return watching;
  }

  const guarded =
    <A extends readonly unknown[], T>(call: (...args: A) => Promise<T>) =>
    async (...args: A): Promise<T> => {
      refuse();
      return call(...args);
    };
  return {
    ...{ type: inner.type, description: inner.description, exchanged: exchanged.signal },
    get: guarded((key, options) => inner.get(key, options)),
    getMany: guarded((keys, options) => inner.getMany(keys, options)),
    commit: guarded(async (transaction, options) => {
      const result = await inner.commit(transaction, options);
      if (result.committed && transaction.writes.length > 0) sentinels.onWritten(result.revision);
      return result;
    }),
    hold: guarded((key, value, ttl, options) => inner.hold(key, value, ttl, options)),
    identify: guarded((options) => inner.identify(options)),
    ...{ list, watch },
    close: () => inner.close(),
  };
}

const keyOf = (change: Change): string => (change.type === 'put' ? change.entry.key : change.key);
const entryOf = (change: Change): Entry | undefined =>
  change.type === 'put' ? change.entry : undefined;

function deliver({ prefixes, onChanges }: WatchOptions, changes: readonly Change[]): void {
  const wanted = changes.filter((change) =>
    prefixes.some((prefix) => keyOf(change).startsWith(prefix)),
  );
  if (wanted.length > 0) onChanges(wanted);
}
