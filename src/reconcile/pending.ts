import {
  backoff,
  Fault,
  messageOf,
  orAbort,
  sleep,
  toFault,
  type Clock,
  type FaultKind,
  type Log,
} from '../base/index.js';
import {
  loadWork,
  removeWork,
  storeWork,
  workOf,
  type PendingKind,
  type PendingWork,
} from './pending-files.js';

export interface PendingOptions {
  /** A folder of its own below the state folder; made when absent. */
  readonly directory: string;
  readonly log: Log;
  readonly clock: Clock;
  /**
   * Does the work in the store; must be idempotent, and decides by the handle in the payload whether it is
   * still due. Resolving means done or no longer due. A fault of the store is tried again for ever; `invalid`,
   * `unsupported`, `not-found`, `corrupt` and `internal` are final.
   */
  readonly perform: (work: PendingWork, signal: AbortSignal) => Promise<void>;
  /** Pauses while the store does not answer, 1 s to 30 s unless told. */
  readonly pauseMs?: { readonly first: number; readonly last: number };
  /** Most works kept; 10,000 unless told. */
  readonly most?: number;
}

/** Durable memory for delete-like calls that could not reach the store (architecture §3). */
export interface Pending {
  /**
   * Resolves when the work survives a power cut. Faults: `unavailable` (folder), `exhausted` (too many),
   * in both cases nothing was recorded. Work recorded before under the same kind and payload counts as recorded.
   */
  record(kind: PendingKind, payload: Readonly<Record<string, string>>): Promise<void>;
  /** Oldest first. */
  list(): readonly PendingWork[];
  /** Files that could not be understood at start. */
  damaged(): readonly string[];
  /** The store answers again: do not wait for the end of the pause. */
  wake(): void;
  /** Settles when nothing is left; rejects with the abort fault. */
  idle(signal: AbortSignal): Promise<void>;
  /** Ends the worker; what is left stays on the disk for the next start. */
  stop(): Promise<void>;
}

const FINAL: readonly FaultKind[] = ['invalid', 'unsupported', 'not-found', 'corrupt', 'internal'];

interface Queue extends PendingOptions {
  readonly stopping: AbortSignal;
  /** Rejects when the folder cannot be read; `record` then fails with the same. */
  readonly loaded: Promise<void>;
  readonly works: Map<string, PendingWork>;
  readonly storing: Map<string, Promise<void>>;
  readonly idleWaiters: Set<() => void>;
  damaged: readonly string[];
  wake: () => void;
}

/** Starts the queue: what an earlier life left is done first, as soon as `perform` succeeds. */
export function createPending(options: PendingOptions): Pending {
  const ending = new AbortController();
  let loaded: () => void = () => undefined;
  let failed: (error: unknown) => void = () => undefined;
  const queue: Queue = {
    ...options,
    stopping: ending.signal,
    loaded: new Promise((resolve, reject) => {
      loaded = resolve;
      failed = reject;
    }),
    works: new Map(),
    storing: new Map(),
    idleWaiters: new Set(),
    damaged: [],
    wake: () => undefined,
  };
  queue.loaded.catch(() => undefined);
  const running = load(queue)
    .then(loaded, failed)
    .then(() => run(queue));
  return {
    record: (kind, payload) => record(queue, kind, payload),
    list: () => [...queue.works.values()],
    damaged: () => queue.damaged,
    wake: () => queue.wake(),
    idle: (signal) => idle(queue, signal),
    stop: async () => {
      ending.abort(
        new Fault('unavailable', 'the pending queue has stopped', { reason: 'stopped' }),
      );
      await running;
    },
  };
}

async function load(queue: Queue): Promise<void> {
  try {
    const { work, damaged } = await loadWork(queue.directory);
    for (const one of work) queue.works.set(one.id, one);
    queue.damaged = damaged;
    for (const name of damaged) {
      const message = `${queue.directory}/${name} cannot be understood and is left alone; remove it when it is of no use`;
      queue.log.error({ file: name, reason: 'damaged-file' }, message);
    }
    if (work.length > 0)
      queue.log.info(
        { count: work.length },
        `${work.length} deletions of an earlier life are pending`,
      );
  } catch (error) {
    queue.log.error({ reason: toFault(error).reason }, messageOf(error));
    throw error;
  }
}

async function record(
  queue: Queue,
  kind: PendingKind,
  payload: Readonly<Record<string, string>>,
): Promise<void> {
  await queue.loaded;
  const work = workOf(kind, payload, queue.clock.now());
  if (queue.works.has(work.id)) return;
  const storing = queue.storing.get(work.id) ?? store(queue, work);
  await storing;
}

async function store(queue: Queue, work: PendingWork): Promise<void> {
  const most = queue.most ?? 10_000;
  if (queue.works.size + queue.storing.size >= most) {
    const message = `${most} deletions are pending already; is the datastore reachable? ${work.kind} is not kept`;
    throw new Fault('exhausted', message, { reason: 'pending-full' });
  }
  const storing = storeWork(queue.directory, work);
  queue.storing.set(work.id, storing);
  try {
    await storing;
    queue.works.set(work.id, work);
    queue.wake();
  } finally {
    queue.storing.delete(work.id);
  }
}

async function run(queue: Queue): Promise<void> {
  const { first, last } = queue.pauseMs ?? { first: 1_000, last: 30_000 };
  let pauses = backoff(first, last);
  while (!queue.stopping.aborted) {
    const before = queue.works.size;
    const blocked = await pass(queue);
    if (queue.works.size < before) pauses = backoff(first, last);
    if (queue.works.size === 0) for (const tell of [...queue.idleWaiters]) tell();
    if (queue.stopping.aborted) return;
    await rest(queue, blocked ? pauses.next().value : undefined);
  }
}

/** Tries every work once, oldest first; true when some are left and the store should be given time. */
async function pass(queue: Queue): Promise<boolean> {
  for (const work of [...queue.works.values()]) {
    if (queue.stopping.aborted) return true;
    try {
      await queue.perform(work, queue.stopping);
      await drop(queue, work);
    } catch (error) {
      if (queue.stopping.aborted) return true;
      const fault = toFault(error);
      const about = { kind: work.kind, payload: work.payload, reason: fault.reason };
      if (FINAL.includes(fault.kind)) {
        queue.log.error(about, `pending ${work.kind} is given up: ${fault.message}`);
        await drop(queue, work);
      } else {
        queue.log.debug(about, `pending ${work.kind} waits: ${fault.message}`);
        // These say that nothing else would get through either.
        if (fault.kind === 'unavailable' || fault.kind === 'timeout') return true;
      }
    }
  }
  return queue.works.size > 0;
}

async function drop(queue: Queue, work: PendingWork): Promise<void> {
  try {
    await removeWork(queue.directory, work.id);
  } catch (error) {
    // It comes back at the next start and is then found to be done.
    queue.log.warn({ kind: work.kind, reason: toFault(error).reason }, messageOf(error));
  }
  // Last, so that the same call recorded meanwhile does not put a file there that is then removed.
  queue.works.delete(work.id);
}

/** Until there is something to do: for `ms`, or with nothing pending until `wake`. */
async function rest(queue: Queue, ms: number | undefined): Promise<void> {
  const woken = new AbortController();
  const wake = new Promise<void>((resolve) => {
    queue.wake = () => {
      woken.abort();
      resolve();
    };
  });
  try {
    if (ms !== undefined) await sleep(ms, AbortSignal.any([woken.signal, queue.stopping]));
    else if (queue.works.size === 0) await orAbort(wake, queue.stopping);
  } catch (error) {
    if (!woken.signal.aborted && !queue.stopping.aborted) throw error;
  } finally {
    queue.wake = () => undefined;
  }
}

async function idle(queue: Queue, signal: AbortSignal): Promise<void> {
  await orAbort(queue.loaded, signal);
  if (queue.works.size === 0) return;
  let tell: () => void = () => undefined;
  const empty = new Promise<void>((resolve) => {
    tell = resolve;
    queue.idleWaiters.add(tell);
  });
  try {
    await orAbort(empty, signal, 'the pending queue');
  } finally {
    queue.idleWaiters.delete(tell);
  }
}
