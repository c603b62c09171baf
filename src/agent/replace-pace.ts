import type { Clock, Log } from '../base/index.js';

/** So many replacements follow at once, whatever their distance. */
const AT_ONCE = 20;
/** One more for each of these, in milliseconds. */
const EVERY_MS = 250;

export interface ReplacePaceOptions {
  readonly clock: Clock;
  readonly log: Log;
  readonly replace: () => void;
}

/**
 * When to replace the table that another program changed: at once, for until then the host may be
 * open. But a program that undoes each replacement would have both of them write as fast as they can,
 * for ever; after some at once there is a pause before each. It does not grow: the host is open in it.
 */
export class ReplacePace {
  readonly #options: ReplacePaceOptions;
  #left = AT_ONCE;
  #counted: number;
  #timer: NodeJS.Timeout | undefined;
  #quarrel = false;

  constructor(options: ReplacePaceOptions) {
    this.#options = options;
    this.#counted = options.clock.monotonic();
  }

  /** The table was changed; what changes in a pause is mended at its end. */
  onChange(): void {
    if (this.#timer !== undefined) return;
    this.#count();
    if (this.#left >= 1) {
      this.#say(false, 'another program changed the policy table; replacing it');
      this.#replace();
      return;
    }
    this.#say(
      true,
      'another program changes the policy table again and again; replacing it more slowly',
    );
    this.#timer = setTimeout(
      () => {
        this.#timer = undefined;
        this.#count();
        this.#replace();
      },
      (1 - this.#left) * EVERY_MS,
    );
    this.#timer.unref();
  }

  close(): void {
    clearTimeout(this.#timer);
  }

  #replace(): void {
    this.#left -= 1;
    this.#options.replace();
  }

  #count(): void {
    const now = this.#options.clock.monotonic();
    this.#left = Math.min(AT_ONCE, this.#left + (now - this.#counted) / EVERY_MS);
    this.#counted = now;
  }

  /** A quarrel is told once; it is over when half of what follows at once is there again. */
  #say(quarrel: boolean, words: string): void {
    if (this.#quarrel && this.#left < AT_ONCE / 2) return;
    this.#quarrel = quarrel;
    this.#options.log.warn(words);
  }
}
