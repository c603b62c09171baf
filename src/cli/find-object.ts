import { isFault } from '../base/index.js';
import {
  resourceKey,
  type CallOptions,
  type Compare,
  type Entry,
  type Store,
} from '../datastore/index.js';
import { decodeResource } from '../model/v3/index.js';
import type { ObjectId } from './object-name.js';

/** The key of an object in the style of new ones. */
export const keyOf = ({ kind, name, namespace }: ObjectId): string =>
  resourceKey(kind.plural, name, namespace);

export interface FoundObject {
  /** Where the object stands, or would be put. */
  readonly key: string;
  readonly entry: Entry | undefined;
  /** What was looked at, for a commit that must find it unchanged. */
  readonly seen: readonly Compare[];
}

/**
 * The entry of an object, whatever style of key its writer used: the one with exactly this name, else
 * the one whose content says so (datamodel §1.6).
 */
export async function findObject(
  store: Store,
  id: ObjectId,
  options?: CallOptions,
): Promise<FoundObject> {
  const exact = keyOf(id);
  const { keyNames } = id.kind;
  if (keyNames === undefined) {
    const entry = await store.get(exact, options);
    return { key: exact, entry, seen: [{ key: exact, revision: entry?.revision ?? 0n }] };
  }
  const keys = keyNames(id.name).map((name) => keyOf({ ...id, name }));
  const present = await store.getMany(keys, options);
  const seen = keys.map((key) => ({ key, revision: present.get(key)?.revision ?? 0n }));
  const entry = keys
    .map((key) => present.get(key))
    .find((each) => each !== undefined && (each.key === exact || isCalled(id, each)));
  return { key: entry?.key ?? exact, entry, seen };
}

/** Whether what stands under another style of key is the object of this name. */
function isCalled({ kind, name }: ObjectId, entry: Entry): boolean {
  try {
    const resource = decodeResource(entry.value, entry.key);
    return (kind.shown?.(resource) ?? resource).metadata.name === name;
  } catch (error) {
    if (!isFault(error, 'corrupt')) throw error;
    return false; // It can be removed under its key's own name.
  }
}
