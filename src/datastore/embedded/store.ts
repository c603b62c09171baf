import { abortFault, Fault, toFault, type Log } from '../../base/index.js';
import {
  checkKey,
  checkTransaction,
  type CallOptions,
  type Entry,
  type Hold,
  type Snapshot,
  type Store,
  type Watch,
  type WatchOptions,
} from '../index.js';
import { createCommitQueue } from './commit-queue.js';
import { lockDirectory, type DirectoryLock } from './directory-lock.js';
import { openEnvironment, type Environment } from './environment.js';
import { createHistory, type History, type Step } from './history.js';

export interface EmbeddedStoreOptions {
  /** Made if absent; one process at a time. */
  readonly directory: string;
  readonly log: Log;
  /** How far back a watch may begin: 10,000 revisions and 16 MiB unless told. */
  readonly history?: { readonly maxRevisions?: number; readonly maxBytes?: number };
}

/** What is there while the store is open. */
interface Opened {
  readonly lock: DirectoryLock;
  readonly history: History;
  environment: Environment;
}

/**
 * The datastore port over lmdb, for one host. Nothing is loaded or opened before the first call. A
 * commit is on the disk before it resolves; what others read or watch is on the disk too. After a
 * failed write (a full disk) the store is read-only until a later write succeeds.
 */
export function createEmbeddedStore(options: EmbeddedStoreOptions): Store {
  const { directory, log } = options;
  const closing = new AbortController();
  const holds = new Map<string, { readonly lost: AbortController; readonly revision: bigint }>();
  let opening: Promise<Opened> | undefined;
  let state: Opened | undefined;

  const opened = (): Promise<Opened> => {
    if (closing.signal.aborted) throw abortFault(closing.signal);
    opening ??= open(options).then(
      (value) => (state = value),
      (error: unknown) => {
        opening = undefined;
        throw error;
      },
    );
    return opening;
  };

  /** lmdb must not be touched once closed, so the look and the use are in one turn. */
  async function read<T>(
    call: CallOptions | undefined,
    look: (from: Environment) => T,
  ): Promise<T> {
    for (;;) {
      if (call?.signal?.aborted)
        throw abortFault(call.signal, 'the call to the embedded datastore');
      const { environment } = await opened();
      if (closing.signal.aborted) throw abortFault(closing.signal);
      if (!environment.closed) return look(environment);
      await (reopening ?? reopen());
    }
  }

  let reopening: Promise<Environment> | undefined;
  function reopen(): Promise<Environment> {
    reopening ??= (async () => {
      const target = await opened();
      await target.environment.close();
      const environment = await openEnvironment(directory);
      target.environment = environment;
      return environment;
    })().finally(() => {
      reopening = undefined;
    });
    return reopening;
  }

  function onDurable(steps: readonly Step[]): void {
    for (const { changes, revision } of steps) {
      for (const change of changes) {
        const key = change.type === 'put' ? change.entry.key : change.key;
        const held = holds.get(key);
        if (held !== undefined && held.revision !== revision)
          loseHold(key, 'the key was deleted or taken');
      }
    }
    state?.history.append(steps);
  }

  function loseHold(key: string, why: string): void {
    const held = holds.get(key);
    holds.delete(key);
    const message = `the hold on ${key} was lost: ${why}`;
    held?.lost.abort(new Fault('unavailable', message, { reason: 'hold-lost' }));
  }

  const queue = createCommitQueue({
    directory,
    log,
    environment: async () => (await opened()).environment,
    reopen,
    onDurable,
  });

  function watch(watchOptions: WatchOptions): Watch {
    let real: Watch | undefined;
    let closed = false;
    const start = async (): Promise<void> => {
      const { history } = await opened();
      if (!closed) real = history.watch(watchOptions);
    };
    start()
      .catch((error: unknown) => {
        if (!closed) watchOptions.onLost(toFault(error));
      })
      .catch((error: unknown) => log.error({ err: error }, 'a listener of the datastore failed'));
    return {
      close: () => {
        closed = true;
        real?.close();
      },
    };
  }

  async function hold(key: string, value: string, call: CallOptions | undefined): Promise<Hold> {
    checkKey(key);
    const transaction = {
      compares: [{ key, revision: 0n }],
      writes: [{ key, value }],
      reads: [key],
    };
    const result = await queue.commit(transaction, call, true);
    if (!result.committed) {
      const details = { key, value: result.current.get(key)?.value };
      throw new Fault('exists', `${key} is held by another`, { details });
    }
    const held = { lost: new AbortController(), revision: result.revision };
    holds.set(key, held);
    const now = await read(undefined, (environment) => environment.get(key));
    if (now?.revision !== held.revision) loseHold(key, 'the key was deleted or taken');
    return {
      lost: held.lost.signal,
      release: async () => {
        if (holds.get(key) !== held) return;
        holds.delete(key);
        const compares = [{ key, revision: held.revision }];
        await queue.commit({ compares, writes: [{ key, value: null }] });
      },
    };
  }

  return {
    type: 'embedded',
    description: directory,
    get: async (key, call) => {
      checkKey(key);
      return read(call, (environment) => environment.get(key));
    },
    getMany: async (keys, call) => {
      keys.forEach(checkKey);
      return read(call, (environment) => new Map(keys.map((key) => [key, environment.get(key)])));
    },
    list: (prefix, call) =>
      read(call, (environment) =>
        list(environment, typeof prefix === 'string' ? [prefix] : prefix),
      ),
    commit: async (transaction, call) => {
      checkTransaction(transaction);
      if (closing.signal.aborted) throw abortFault(closing.signal);
      return queue.commit(transaction, call);
    },
    watch,
    hold: (key, value, _ttlSeconds, call) => hold(key, value, call),
    identify: (call) => read(call, ({ id, revision }) => ({ id, revision: revision() })),
    close: async () => {
      if (closing.signal.aborted) return;
      const message = `the embedded datastore at ${directory} was closed`;
      const reason = new Fault('unavailable', message, { reason: 'stopped' });
      closing.abort(reason);
      await opening?.catch(() => undefined);
      await queue.close(reason);
      for (const key of [...holds.keys()]) loseHold(key, 'the store was closed');
      state?.history.end(reason);
      await state?.environment.close();
      await state?.lock.release();
    },
  };
}

async function open({ directory, log, history: bounds }: EmbeddedStoreOptions): Promise<Opened> {
  const lock = await lockDirectory(directory, log);
  try {
    const environment = await openEnvironment(directory);
    await dropHolds(environment);
    const history = createHistory({
      start: environment.revision(),
      maxRevisions: bounds?.maxRevisions ?? 10_000,
      maxBytes: bounds?.maxBytes ?? 16 * 1024 * 1024,
      log,
    });
    return { lock, history, environment };
  } catch (error) {
    await lock.release();
    throw error;
  }
}

/** Keys whose holder was the process before this one. */
async function dropHolds(environment: Environment): Promise<void> {
  await environment.write((writer) => {
    const keys = writer.heldKeys();
    if (keys.length === 0) return;
    for (const key of keys) {
      writer.remove(key);
      writer.markHeld(key, false);
    }
    writer.setRevision(writer.revision() + 1n);
  });
}

function list(environment: Environment, prefixes: readonly string[]): Snapshot {
  const unique = [...new Set(prefixes)];
  const outer = unique.filter(
    (prefix) => !unique.some((other) => other !== prefix && prefix.startsWith(other)),
  );
  // Disjoint prefixes in order of bytes give their keys in order of bytes.
  outer.sort((a, b) => Buffer.compare(Buffer.from(a), Buffer.from(b)));
  const entries: Entry[] = outer.flatMap((prefix) => environment.below(prefix));
  return { entries, revision: environment.revision() };
}
