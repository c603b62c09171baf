import { Fault } from './fault.js';

/** Throws an `internal` fault when a belief of the program is broken; say both beliefs in the message. */
export function invariant(condition: unknown, message: string): asserts condition {
  if (!condition)
    throw new Fault('internal', `invariant broken: ${message}`, { reason: 'invariant' });
}

/** For the default branch of a switch over a closed union. */
export function unreachable(value: never): never {
  throw new Fault('internal', `invariant broken: unexpected ${String(value)}`, {
    reason: 'invariant',
  });
}
