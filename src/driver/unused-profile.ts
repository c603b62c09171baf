import {
  networkRecordKey,
  networkRecordPrefix,
  type CallOptions,
  type Store,
  type Transaction,
} from '../datastore/index.js';
import { profileName } from '../model/index.js';
import type { Network } from './network-record.js';
import { automaticProfile, type ProfileBook } from './profile-book.js';

export interface UnusedProfileParts {
  readonly store: Store;
  readonly profiles: ProfileBook;
  /** Undefined for a record that cannot be understood. */
  readonly tryDecode: (key: string, value: string) => Network | undefined;
}

/** The automatic profile goes with its network unless a user changed it or another network may use it. */
export async function unusedProfile(
  parts: UnusedProfileParts,
  network: Network,
  options: CallOptions,
): Promise<Pick<Transaction, 'compares' | 'writes'>> {
  const { store, profiles, tryDecode } = parts;
  const nothing = { compares: [], writes: [] };
  if (network.name === '' || network.options['profile'] !== undefined) return nothing;
  const name = profileName(network.name);
  const others = (await store.list(networkRecordPrefix, options)).entries.filter(
    ({ key }) => key !== networkRecordKey(network.clusterId),
  );
  const shared = others.some(({ key, value }) => {
    const other = tryDecode(key, value);
    if (other === undefined || other.name === '') return true;
    return profileName(other.name) === name || other.options['profile'] === name;
  });
  if (shared) return nothing;
  const entry = await store.get(profiles.keyOf(name), options);
  if (entry === undefined || !profiles.isUntouched(entry, automaticProfile(name, network.internal)))
    return nothing;
  profiles.forget(name);
  return {
    compares: [{ key: entry.key, revision: entry.revision }],
    writes: [{ key: entry.key, value: null }],
  };
}
