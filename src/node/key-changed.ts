import type { Change, Entry, Store } from '../datastore/index.js';

/** Settles when the key is no longer what it was, when nobody would tell us of that, or with `ended`. */
export async function keyChanged(store: Store, entry: Entry, ended: AbortSignal): Promise<void> {
  const over = new AbortController();
  const isOther = (change: Change): boolean =>
    change.type === 'delete' ? change.key === entry.key : change.entry.key === entry.key;
  const watch = store.watch({
    prefixes: [entry.key],
    from: entry.revision + 1n,
    onChanges: (changes) => {
      if (changes.some(isOther)) over.abort();
    },
    onLost: () => over.abort(),
  });
  try {
    await fired(AbortSignal.any([over.signal, ended]));
  } finally {
    watch.close();
  }
}

function fired(signal: AbortSignal): Promise<void> {
  if (signal.aborted) return Promise.resolve();
  return new Promise((resolve) =>
    signal.addEventListener('abort', () => resolve(), { once: true }),
  );
}
