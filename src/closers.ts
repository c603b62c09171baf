import type { Log } from './base/index.js';

/** What was opened so far, to be closed in reverse order when a later step fails and at the end. */
export class Closers {
  readonly #steps: (() => Promise<void>)[] = [];

  add(step: () => Promise<void>): void {
    this.#steps.push(step);
  }

  /** Every step runs, whatever the others do; failures are told together. */
  async close(log: Log): Promise<void> {
    for (const step of this.#steps.splice(0).reverse()) {
      try {
        await step();
      } catch (error) {
        log.warn({ err: error }, 'a part did not stop cleanly');
      }
    }
  }
}
