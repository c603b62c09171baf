import { setMaxListeners } from 'node:events';
import { setTimeout as delay } from 'node:timers/promises';
import { Fault } from './fault.js';

/** A deadline that can be ended before it fires, so that it leaves no timer and no listener behind. */
interface OpenDeadline {
  readonly signal: AbortSignal;
  end(): void;
}

/**
 * Fires after `ms` with a `TimeoutError`, or when a parent does. Made by hand: in Node 20 a signal of
 * `AbortSignal.any` over `AbortSignal.timeout` is collected as garbage although somebody listens,
 * and then never fires. The timer does not keep the process.
 */
function openDeadline(ms: number, parents: readonly (AbortSignal | undefined)[]): OpenDeadline {
  const controller = new AbortController();
  const unfollow: (() => void)[] = [];
  const end = (): void => {
    clearTimeout(timer);
    for (const stop of unfollow.splice(0)) stop();
  };
  const fire = (reason: unknown): void => {
    end();
    controller.abort(reason);
  };
  const timer = setTimeout(() => fire(new DOMException(`${ms} ms are over`, 'TimeoutError')), ms);
  timer.unref();
  for (const parent of parents) {
    if (parent === undefined) continue;
    if (parent.aborted) {
      fire(parent.reason);
      break;
    }
    const follow = (): void => fire(parent.reason);
    allowMany(parent);
    parent.addEventListener('abort', follow, { once: true });
    unfollow.push(() => parent.removeEventListener('abort', follow));
  }
  return { signal: controller.signal, end };
}

/** Calls in flight may be many; each takes its listener away again. Node would warn of a leak from the eleventh on. */
function allowMany(signal: AbortSignal): void {
  setMaxListeners(0, signal);
}

/** A signal that fires after `ms`, or when any of the others does. For work that is rare: see `within`. */
export function deadline(ms: number, ...others: readonly (AbortSignal | undefined)[]): AbortSignal {
  return openDeadline(ms, others).signal;
}

/** Runs the work under a deadline that ends with it: thousands of calls a second leave no timers behind. */
export async function within<T>(
  ms: number,
  parents: readonly (AbortSignal | undefined)[],
  work: (signal: AbortSignal) => Promise<T>,
): Promise<T> {
  const { signal, end } = openDeadline(ms, parents);
  try {
    return await work(signal);
  } finally {
    end();
  }
}

/** Waits `ms`; rejects with the fault of `abortFault` when the signal fires first. */
export async function sleep(ms: number, signal?: AbortSignal): Promise<void> {
  try {
    await delay(ms, undefined, signal === undefined ? {} : { signal });
  } catch (error) {
    throw signal?.aborted ? abortFault(signal) : error;
  }
}

/** `timeout` when a deadline fired, `unavailable` when the work was called off. */
export function abortFault(signal: AbortSignal, what = 'the operation'): Fault {
  const reason: unknown = signal.reason;
  if (reason instanceof Fault) return reason;
  const timedOut = reason instanceof DOMException && reason.name === 'TimeoutError';
  return timedOut
    ? new Fault('timeout', `${what} did not finish within its bound`, { cause: reason })
    : new Fault('unavailable', `${what} was called off`, { cause: reason, reason: 'stopped' });
}

/** The promise, or the abort fault if the signal fires before it settles. The work itself goes on. */
export async function orAbort<T>(
  promise: Promise<T>,
  signal: AbortSignal,
  what?: string,
): Promise<T> {
  if (signal.aborted) {
    promise.catch(() => undefined);
    throw abortFault(signal, what);
  }
  let stop: () => void = () => undefined;
  const aborted = new Promise<never>((_, reject) => {
    const onAbort = (): void => reject(abortFault(signal, what));
    allowMany(signal);
    signal.addEventListener('abort', onAbort, { once: true });
    stop = () => signal.removeEventListener('abort', onAbort);
  });
  try {
    return await Promise.race([promise, aborted]);
  } finally {
    stop();
  }
}
