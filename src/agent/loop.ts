import { backoff, isFault, messageOf, type Clock, type Log } from '../base/index.js';

/** Something of the kernel that is kept as wanted. */
export interface LoopPart<Name extends string> {
  readonly name: Name;
  /** Makes the kernel as wanted; must be repeatable. */
  readonly apply: (signal: AbortSignal) => Promise<void>;
  /** How long marks are collected before it is applied, in milliseconds. */
  readonly settleMs: number;
}

export interface PartStatus {
  readonly state: 'idle' | 'dirty' | 'applying' | 'failed';
  /** Applies that ended well. */
  readonly applied: number;
  readonly failures: number;
  /** Milliseconds since the epoch; 0 when never. */
  readonly lastApplied: number;
  readonly lastError?: string;
}

export interface LoopOptions<Name extends string> {
  readonly parts: readonly LoopPart<Name>[];
  readonly log: Log;
  readonly clock: Clock;
  readonly signal: AbortSignal;
}

interface Progress<Name extends string> {
  readonly part: LoopPart<Name>;
  dirty: boolean;
  /** Monotonic milliseconds before which it is not applied. */
  due: number;
  applied: number;
  failures: number;
  lastApplied: number;
  lastError: string | undefined;
  pauses: Generator<number, never>;
}

const FIRST_PAUSE_MS = 100;
const LAST_PAUSE_MS = 10_000;

/**
 * The agent's one loop: parts are marked dirty and applied one after the other, in the order given;
 * one that fails is tried again with growing pauses, at once when it is marked anew, and holds up no
 * other. Ends with the signal.
 */
export class Loop<Name extends string> {
  readonly #options: LoopOptions<Name>;
  readonly #parts: ReadonlyMap<Name, Progress<Name>>;
  #applying: Progress<Name> | undefined;
  #timer: NodeJS.Timeout | undefined;
  readonly #waiting: (() => void)[] = [];
  readonly #trials = new Map<Name, (() => void)[]>();

  constructor(options: LoopOptions<Name>) {
    this.#options = options;
    this.#parts = new Map(options.parts.map((part) => [part.name, begin(part)]));
    options.signal.addEventListener('abort', () => this.#schedule(), { once: true });
  }

  /** The part may differ from what is wanted. Marks that come together cost one apply. */
  mark(name: Name): void {
    const progress = this.#parts.get(name);
    if (progress === undefined || this.#options.signal.aborted) return;
    const due = this.#options.clock.monotonic() + progress.part.settleMs;
    // Its timer runs: a snapshot marks a hundred thousand times.
    if (progress.dirty && progress.due <= due) return;
    progress.due = due;
    progress.dirty = true;
    this.#schedule();
  }

  status(): Record<string, PartStatus> {
    const parts = [...this.#parts.values()];
    return Object.fromEntries(
      parts.map((one) => [one.part.name, statusOf(one, one === this.#applying)]),
    );
  }

  /** Settles when nothing is dirty, being applied or waiting to be tried again. */
  idle(): Promise<void> {
    if (this.#isIdle()) return Promise.resolve();
    return new Promise((resolve) => this.#waiting.push(resolve));
  }

  /** Settles when the part was applied once, well or not, after this call. */
  tried(name: Name): Promise<void> {
    return new Promise((resolve) => {
      this.#trials.set(name, [...(this.#trials.get(name) ?? []), resolve]);
    });
  }

  #isIdle(): boolean {
    if (this.#applying !== undefined) return false;
    return this.#options.signal.aborted || [...this.#parts.values()].every(({ dirty }) => !dirty);
  }

  #schedule(): void {
    clearTimeout(this.#timer);
    if (this.#isIdle()) {
      for (const settle of this.#waiting.splice(0)) settle();
      return;
    }
    if (this.#applying !== undefined) return;
    const dirty = [...this.#parts.values()].filter((one) => one.dirty);
    const due = Math.min(...dirty.map((one) => one.due));
    const delay = Math.max(0, due - this.#options.clock.monotonic());
    this.#timer = setTimeout(() => void this.#pass(), Math.ceil(delay));
  }

  async #pass(): Promise<void> {
    const { signal, clock } = this.#options;
    for (const one of this.#parts.values()) {
      if (signal.aborted || !one.dirty || one.due > clock.monotonic()) continue;
      this.#applying = one;
      await this.#apply(one);
      this.#applying = undefined;
      for (const settle of this.#trials.get(one.part.name)?.splice(0) ?? []) settle();
    }
    this.#schedule();
  }

  async #apply(one: Progress<Name>): Promise<void> {
    const { log, clock, signal } = this.#options;
    const name = one.part.name;
    one.dirty = false;
    try {
      await one.part.apply(signal);
      if (one.lastError !== undefined) log.info({ part: name }, 'the kernel is as wanted again');
      one.lastError = undefined;
      one.lastApplied = clock.now();
      one.applied += 1;
      one.pauses = backoff(FIRST_PAUSE_MS, LAST_PAUSE_MS);
    } catch (error) {
      if (signal.aborted) return;
      const reason = messageOf(error);
      // The same failure again is told by the status, not by another line.
      if (reason !== one.lastError) {
        const what = isFault(error) ? 'cannot bring the kernel to what is wanted' : 'a defect';
        log.error({ part: name, err: error }, what);
      }
      one.lastError = reason;
      one.failures += 1;
      if (!one.dirty) one.due = clock.monotonic() + one.pauses.next().value;
      one.dirty = true;
    }
  }
}

function begin<Name extends string>(part: LoopPart<Name>): Progress<Name> {
  return {
    part,
    dirty: false,
    due: 0,
    applied: 0,
    failures: 0,
    lastApplied: 0,
    lastError: undefined,
    pauses: backoff(FIRST_PAUSE_MS, LAST_PAUSE_MS),
  };
}

function statusOf(one: Progress<string>, applying: boolean): PartStatus {
  const { dirty, applied, failures, lastApplied, lastError } = one;
  const resting = lastError === undefined ? (dirty ? 'dirty' : 'idle') : 'failed';
  return {
    state: applying ? 'applying' : resting,
    applied,
    failures,
    lastApplied,
    ...(lastError === undefined ? {} : { lastError }),
  };
}
