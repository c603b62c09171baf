import { isFault, messageOf } from '../base/index.js';
import type { Entry } from '../datastore/index.js';
import type { Io } from './io.js';

/** Decodes stored entries; of those that cannot be understood the user is told, and they are left out. */
export function readEach<T>(
  io: Io,
  entries: readonly Entry[],
  decode: (value: string, where: string) => T,
): T[] {
  return entries.flatMap(({ key, value }) => {
    try {
      return [decode(value, key)];
    } catch (error) {
      if (!isFault(error, 'corrupt')) throw error;
      io.err(`note: ${messageOf(error)}\n`);
      return [];
    }
  });
}
