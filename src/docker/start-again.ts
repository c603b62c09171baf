import { KeptWork, messageOf, toFault, type Log } from '../base/index.js';
import type { DockerInventory } from './inventory.js';

export interface StartAgainOptions {
  readonly inventory: Pick<DockerInventory, 'failedStarts' | 'startContainer'>;
  /** Rejects while a start would fail as the last one did. */
  readonly storeAnswers: (signal: AbortSignal) => Promise<void>;
  readonly log: Log;
  /** Docker writes down why a start failed after it had our answer; 2 s unless told. */
  readonly settleMs?: number;
}

/** Brings back what Docker gave up: it starts a container with a restart policy once after a boot, and never again. */
export interface StartAgain {
  /** A start may have failed on us: looks as soon as store and Docker answer. */
  wake(): void;
  /** Containers that were started, and whether it went well, since this process began. */
  readonly counts: { readonly started: number; readonly failed: number };
  /** Settles when the work has ended. */
  stop(): Promise<void>;
}

interface Work extends StartAgainOptions {
  /** Containers that had their one try, by id and time of their last good start. */
  readonly tried: Set<string>;
  readonly counts: { started: number; failed: number };
}

/** Many containers, one after the other; each start has its own bound. */
const ALL_MS = 3_600_000;

/**
 * Starts containers with a restart policy whose last start failed on our error (architecture §3, Bounds): each once,
 * oldest first, never one that a user stopped. One that fails again is the user's.
 */
export function createStartAgain(options: StartAgainOptions): StartAgain {
  const work: Work = { ...options, tried: new Set(), counts: { started: 0, failed: 0 } };
  const kept = new KeptWork({
    what: 'containers whose last start failed on us wait to be started',
    work: (signal) => startAll(work, signal),
    log: options.log,
    boundMs: ALL_MS,
    settleMs: options.settleMs ?? 2_000,
  });
  return { wake: () => kept.start(), counts: work.counts, stop: () => kept.stop() };
}

async function startAll(work: Work, signal: AbortSignal): Promise<void> {
  const { inventory, storeAnswers, log, tried, counts } = work;
  await storeAnswers(signal);
  const containers = await inventory.failedStarts(signal);
  for (const { id, name, startedAt, restartPolicy, error } of containers) {
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
