import { sleep, within } from './abort.js';
import { backoff } from './backoff.js';
import { messageOf } from './fault.js';
import type { Log } from './log.js';

export interface KeptWorkOptions {
  /** For the log, when it fails: `the tunnel addresses are not as they have to be`. */
  readonly what: string;
  /** Must be repeatable, and write nothing when all is well. */
  readonly work: (signal: AbortSignal) => Promise<void>;
  readonly log: Log;
  /** Bound of one try. */
  readonly boundMs: number;
  /** How long marks are collected. */
  readonly settleMs?: number;
}

/** Why a pause ends early. Given, because the default one costs a tenth of a millisecond each time. */
const MARKED = 'marked';
const FIRST_PAUSE_MS = 250;
const LAST_PAUSE_MS = 30_000;

/**
 * Work that is done again whenever what it depends on may have changed: one run at a time, marks that come meanwhile
 * share the next. What fails is tried again with growing pauses, at once after the next mark.
 */
export class KeptWork {
  readonly #options: KeptWorkOptions;
  readonly #stopping = new AbortController();
  #started = false;
  #dirty = false;
  #running: Promise<void> | undefined;
  #wake = new AbortController();
  #problem: string | undefined;

  constructor(options: KeptWorkOptions) {
    this.#options = options;
  }

  /** Why the last run failed; undefined when it did not. */
  get problem(): string | undefined {
    return this.#problem;
  }

  /** The first run, and from now on marks count. */
  start(): void {
    this.#started = true;
    this.mark();
  }

  mark(): void {
    if (!this.#started || this.#stopping.signal.aborted) return;
    this.#dirty = true;
    this.#wake.abort(MARKED);
    this.#running ??= this.#run().finally(() => {
      this.#running = undefined;
    });
  }

  /** Settles when the run that is under way has ended. */
  async stop(): Promise<void> {
    this.#stopping.abort();
    this.#wake.abort();
    await this.#running;
  }

  async #run(): Promise<void> {
    const { work, log, what, boundMs, settleMs = 0 } = this.#options;
    const { signal } = this.#stopping;
    let pauses = backoff(FIRST_PAUSE_MS, LAST_PAUSE_MS);
    while (this.#dirty && !signal.aborted) {
      if (settleMs > 0) await sleep(settleMs, signal).catch(() => undefined);
      if (signal.aborted) return;
      this.#dirty = false;
      this.#wake = new AbortController();
      try {
        await within(boundMs, [signal], work);
        this.#problem = undefined;
        pauses = backoff(FIRST_PAUSE_MS, LAST_PAUSE_MS);
      } catch (error) {
        if (signal.aborted) return;
        const reason = messageOf(error);
        // The same failure again is no news.
        if (reason !== this.#problem) log.warn({ err: error }, what);
        this.#problem = reason;
        this.#dirty = true;
        // Ends early by a mark: what was waited for may have come.
        await sleep(pauses.next().value, this.#wake.signal).catch(() => undefined);
      }
    }
  }
}
