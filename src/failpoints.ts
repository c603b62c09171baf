import { withFailpoints } from './base/index.js';
import type { DaemonConfig } from './config/index.js';
import { kindOfKey, type Transaction } from './datastore/index.js';

/** A port whose steps tests can end the daemon at. */
export function watched<T extends object>(
  { failpointFile }: DaemonConfig,
  port: string,
  inner: T,
): T {
  return failpointFile === '' ? inner : withFailpoints(port, inner, writtenKinds);
}

/** What a commit writes, by the folders of its keys: ` address handle`. */
function writtenKinds(step: string, argument: unknown): string {
  if (step !== 'commit') return '';
  const { writes } = argument as Transaction;
  const kinds = writes.map(({ key, value }) => `${value === null ? '-' : '+'}${kindOfKey(key)}`);
  return `(${[...new Set(kinds)].sort().join(' ')})`;
}
