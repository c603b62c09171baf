import { Fault } from '../base/index.js';
import { findKind, kinds, type Kind } from '../model/v3/index.js';
import type { Io, StoreOptions } from './io.js';
import { Objects } from './objects.js';

/** Options that every command with a datastore takes. */
export interface SharedOptions extends StoreOptions {
  readonly namespace?: string;
  readonly filename?: string;
  readonly recursive?: boolean;
  readonly skipEmpty?: boolean;
}

/** Opens the datastore for the time of `work`. */
export async function withObjects<T>(
  io: Io,
  options: StoreOptions,
  work: (objects: Objects) => Promise<T>,
): Promise<T> {
  const store = await io.openStore(options);
  try {
    return await work(new Objects(store));
  } finally {
    await store.close();
  }
}

/** The kind of a word on the command line; throws `invalid` with all kinds there are. */
export function kindNamed(word: string): Kind {
  const kind = findKind(word);
  if (kind !== undefined) return kind;
  const known = kinds.map((each) => commandName(each)).join(', ');
  const message = `resource type '${word}' is not supported: use one of ${known}`;
  throw new Fault('invalid', message, { reason: 'unknown-kind' });
}

/** `ipPool` for IPPool: how calicoctl's own help writes kinds. */
function commandName({ kind }: Kind): string {
  return kind.replace(/^[A-Z]+(?=[A-Z][a-z])|^[A-Z]/, (capitals) => capitals.toLowerCase());
}

export function both(): Fault {
  return new Fault('invalid', 'give either names or -f, not both', { reason: 'usage' });
}
