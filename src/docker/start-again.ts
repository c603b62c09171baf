import { backoff, messageOf, sleep, toFault, type Log } from '../base/index.js';
import type { DockerInventory } from './inventory.js';

export interface StartAgainOptions {
  readonly inventory: Pick<DockerInventory, 'failedStarts' | 'startContainer'>;
  /** Rejects while a start would fail as the last one did. */
  readonly storeAnswers: (signal: AbortSignal) => Promise<void>;
  readonly log: Log;
  readonly signal: AbortSignal;
  /** Pauses while store or Docker do not answer, 1 s to 30 s unless told. */
  readonly pauseMs?: { readonly first: number; readonly last: number };
  /** Docker writes down why a start failed after it had our answer; 2 s unless told. */
  readonly settleMs?: number;
}

/** Brings back what Docker gave up: it starts a container with a restart policy once after a boot, and never again. */
export interface StartAgain {
  /** A start may have failed on us: looks as soon as store and Docker answer. */
  wake(): void;
  /** Containers that were started, and whether it went well, since this process began. */
  readonly counts: { readonly started: number; readonly failed: number };
  /** Settles when the work has ended, after the signal. */
  readonly ended: Promise<void>;
}

interface Work extends StartAgainOptions {
  /** Containers that had their one try, by id and time of their last good start. */
  readonly tried: Set<string>;
  readonly counts: { started: number; failed: number };
  asked: boolean;
  tell: () => void;
}

/**
 * Starts containers with a restart policy whose last start failed on our error (architecture §3, Bounds): each once,
 * oldest first, never one that a user stopped. One that fails again is the user's.
 */
export function createStartAgain(options: StartAgainOptions): StartAgain {
  const work: Work = {
    ...options,
    tried: new Set(),
    counts: { started: 0, failed: 0 },
    asked: false,
    tell: () => undefined,
  };
  return {
    wake: () => {
      work.asked = true;
      work.tell();
    },
    counts: work.counts,
    ended: run(work),
  };
}

async function run(work: Work): Promise<void> {
  const { signal, log } = work;
  const { first, last } = work.pauseMs ?? { first: 1_000, last: 30_000 };
  let pauses = backoff(first, last);
  while (!signal.aborted) {
    await asked(work);
    if (signal.aborted) return;
    work.asked = false;
    try {
      await sleep(work.settleMs ?? 2_000, signal);
      await work.storeAnswers(signal);
      await startAll(work);
      pauses = backoff(first, last);
    } catch (error) {
      if (signal.aborted) return;
      // Not lost: it is looked again when both answer.
      work.asked = true;
      log.debug(
        { reason: toFault(error).reason },
        `containers wait to be started: ${messageOf(error)}`,
      );
      await sleep(pauses.next().value, signal).catch((ended: unknown) => {
        if (!signal.aborted) throw ended;
      });
    }
  }
}

function asked(work: Work): Promise<void> {
  if (work.asked || work.signal.aborted) return Promise.resolve();
  return new Promise((resolve) => {
    const done = (): void => {
      work.signal.removeEventListener('abort', done);
      work.tell = () => undefined;
      resolve();
    };
    work.tell = done;
    work.signal.addEventListener('abort', done);
  });
}

async function startAll(work: Work): Promise<void> {
  const { inventory, signal, log, tried, counts } = work;
  for (const { id, name, startedAt, restartPolicy, error } of await inventory.failedStarts(
    signal,
  )) {
    const once = `${id} ${startedAt}`;
    if (tried.has(once)) continue;
    tried.add(once);
    const about = { container: name, restartPolicy };
    log.info({ ...about, lastError: error }, `starting ${name}, whose last start failed on us`);
    try {
      await inventory.startContainer(id, signal);
      counts.started += 1;
    } catch (failure) {
      if (signal.aborted) throw failure;
      counts.failed += 1;
      log.warn(
        { ...about, reason: toFault(failure).reason },
        `${name} did not start: ${messageOf(failure)}; start it by hand when that is mended`,
      );
    }
  }
}
