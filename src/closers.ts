import { setMaxListeners } from 'node:events';
import { Fault, type Log } from './base/index.js';

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

/** Fires at the end of the daemon, and at that of this core, which may come sooner. */
export function lifeOf(daemon: AbortSignal, closers: Closers): AbortSignal {
  const life = new AbortController();
  setMaxListeners(0, life.signal);
  const end = (): void => life.abort(daemon.reason);
  if (daemon.aborted) end();
  daemon.addEventListener('abort', end, { once: true, signal: life.signal });
  closers.add(async () => {
    life.abort(
      new Fault('unavailable', 'this part of the daemon was ended', { reason: 'stopped' }),
    );
  });
  return life.signal;
}
