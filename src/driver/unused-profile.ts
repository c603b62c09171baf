import {
  networkRecordKey,
  networkRecordPrefix,
  type CallOptions,
  type Store,
  type Transaction,
} from '../datastore/index.js';
import { profileName, provisionalProfileName } from '../model/index.js';
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
  const { store } = parts;
  const names = await removableNames(parts, network, options);
  const entries = await store.getMany(
    names.map((name) => parts.profiles.keyOf(name)),
    options,
  );
  const untouched = names.flatMap((name) => {
    const entry = entries.get(parts.profiles.keyOf(name));
    // Of either kind: a creation that began before the network was made anew may have written the other one.
    const ours =
      entry !== undefined &&
      [true, false].some((internal) =>
        parts.profiles.isUntouched(entry, automaticProfile(name, internal)),
      );
    return ours ? [{ name, entry }] : [];
  });
  for (const { name } of untouched) parts.profiles.forget(name);
  // One that an endpoint's commit makes meanwhile would stay for ever.
  const absent = names.map((name) => parts.profiles.keyOf(name)).filter((key) => !entries.get(key));
  return {
    compares: [
      ...untouched.map(({ entry: { key, revision } }) => ({ key, revision })),
      ...absent.map((key) => ({ key, revision: 0n })),
    ],
    writes: untouched.map(({ entry: { key } }) => ({ key, value: null })),
  };
}

/** The provisional profile is this network's alone; the one by name may be another network's too. */
async function removableNames(
  { store, tryDecode }: UnusedProfileParts,
  network: Network,
  options: CallOptions,
): Promise<string[]> {
  const provisional = provisionalProfileName(network.networkId);
  if (network.name === '' || network.options['profile'] !== undefined) return [provisional];
  const name = profileName(network.name);
  const { entries } = await store.list(networkRecordPrefix, options);
  const shared = entries.some(({ key, value }) => {
    if (key === networkRecordKey(network.clusterId)) return false;
    const other = tryDecode(key, value);
    if (other === undefined || other.name === '') return true;
    return profileName(other.name) === name || other.options['profile'] === name;
  });
  return shared ? [provisional] : [provisional, name];
}
