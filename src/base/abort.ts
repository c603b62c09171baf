import { setTimeout as delay } from 'node:timers/promises';
import { Fault } from './fault.js';

/**
 * A signal that fires after `ms` with a `TimeoutError`, or when any of the others does. Made by hand:
 * in Node 20 a signal of `AbortSignal.any` over `AbortSignal.timeout` is collected as garbage
 * although somebody listens, and then never fires. The timer does not keep the process.
 */
export function deadline(ms: number, ...others: readonly (AbortSignal | undefined)[]): AbortSignal {
  const controller = new AbortController();
  const { signal } = controller;
  for (const parent of others) {
    if (parent === undefined) continue;
    if (parent.aborted) {
      controller.abort(parent.reason);
      return signal;
    }
    const follow = (): void => controller.abort(parent.reason);
    parent.addEventListener('abort', follow, { once: true, signal });
  }
  const timer = setTimeout(() => {
    controller.abort(new DOMException(`${ms} ms are over`, 'TimeoutError'));
  }, ms);
  timer.unref();
  signal.addEventListener('abort', () => clearTimeout(timer), { once: true });
  return signal;
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
    signal.addEventListener('abort', onAbort, { once: true });
    stop = () => signal.removeEventListener('abort', onAbort);
  });
  try {
    return await Promise.race([promise, aborted]);
  } finally {
    stop();
  }
}
