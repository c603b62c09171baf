import { randomUUID } from 'node:crypto';
import type { Clock } from '../base/index.js';
import {
  commitOrConflict,
  hostCountKey,
  hostRecordKey,
  retryOnConflict,
  type CallOptions,
  type Entry,
  type Store,
} from '../datastore/index.js';
import {
  completeClusterInformation,
  decodeClusterInformation,
  encodeClusterInformation,
  newClusterGuid,
} from '../model/v3/index.js';
import { epochIn, formatEpoch, newEpoch, parseEpoch, withEpoch, type Epoch } from './epoch.js';
import { decodeHostRecord, encodeHostRecord } from './host-record.js';
import type { RecordedDatastore } from './identity.js';
import type { DatastoreVerdict, FoundDatastore } from './judge-datastore.js';
import { clusterInformationKey } from './plan-cluster.js';

/** Who asks. */
export interface LineageHost {
  readonly store: Store;
  readonly nodeName: string;
  readonly hostUuid: string;
}

/** Reads what tells one datastore from another; writes nothing. */
export async function examineDatastore(
  { store, nodeName, hostUuid }: LineageHost,
  options: CallOptions,
): Promise<FoundDatastore> {
  const countKey = hostCountKey(nodeName);
  const { id: storeId, revision } = await store.identify(options);
  const entries = await store.getMany([clusterInformationKey, countKey], options);
  const information = entries.get(clusterInformationKey);
  const counted = decodeCount(entries.get(countKey)?.value);
  return {
    ...{ type: store.type, storeId, revision },
    clusterGuid:
      information === undefined
        ? undefined
        : decodeClusterInformation(information.value, clusterInformationKey).clusterGuid,
    epoch: information === undefined ? undefined : epochIn(information.value),
    count: counted?.uuid === hostUuid ? counted.count : undefined,
  };
}

const ATTEMPTS = 16;

/** An exchange never begins number 1: in that one nobody waits for others. */
const FIRST: Epoch = { number: 1, id: '' };

/**
 * The epoch of the cluster as it has to be now. After an exchange that nobody else noticed yet a new one begins; an
 * emptied datastore becomes the cluster again that this host was part of.
 */
export async function settleEpoch(
  { store }: LineageHost,
  verdict: DatastoreVerdict,
  recorded: RecordedDatastore | undefined,
  { clock, ...options }: CallOptions & { readonly clock: Clock },
): Promise<{ readonly clusterGuid: string; readonly epoch: Epoch }> {
  return retryOnConflict(ATTEMPTS, async () => {
    const entry = await store.get(clusterInformationKey, options);
    const guid = recorded?.clusterGuid ?? newClusterGuid(randomUUID);
    const text =
      entry === undefined
        ? encodeClusterInformation(
            { clusterGuid: guid },
            { uid: randomUUID(), createdAt: new Date(clock.now()) },
          )
        : (completeClusterInformation(entry.value, guid) ?? entry.value);
    const { clusterGuid = '' } = decodeClusterInformation(text, clusterInformationKey);
    const found = epochIn(text);
    const ours = clusterGuid === recorded?.clusterGuid;
    const past = ours ? pastEpoch(verdict, recorded) : undefined;
    const isOld = verdict.kind === 'exchanged' && past !== undefined && !isAfter(found, past);
    const epoch = found === undefined || isOld ? newEpoch(found, past) : found;
    const value = withEpoch(text, epoch);
    if (value !== entry?.value) {
      const compares = [{ key: clusterInformationKey, revision: entry?.revision ?? 0n }];
      const writes = [{ key: clusterInformationKey, value }];
      await commitOrConflict(store, { compares, writes }, 'ClusterInformation', options);
    }
    return { clusterGuid, epoch };
  });
}

/** The last epoch that is over, as far as this host knows. */
function pastEpoch(verdict: DatastoreVerdict, recorded: RecordedDatastore): Epoch | undefined {
  const known = parseEpoch(recorded.epoch);
  return verdict.kind === 'exchanged' && !isAfter(known, FIRST) ? FIRST : known;
}

const isAfter = (one: Epoch | undefined, other: Epoch): boolean =>
  one !== undefined && one.number > other.number;

/** Tells all hosts that this one has claimed the addresses of its containers in this epoch. */
export async function confirmEpoch(
  { store, nodeName, hostUuid }: LineageHost,
  epoch: Epoch,
  options: CallOptions,
): Promise<void> {
  const key = hostRecordKey(nodeName);
  await retryOnConflict(ATTEMPTS, async () => {
    const entry = await store.get(key, options);
    const record = entry === undefined ? undefined : decodeHostRecord(entry.value);
    const own = record?.uuid === hostUuid ? record : { uuid: hostUuid, version: '' };
    const value = encodeHostRecord({ ...own, epoch: formatEpoch(epoch) });
    if (value === entry?.value) return;
    const compares = [{ key, revision: entry?.revision ?? 0n }];
    await commitOrConflict(
      store,
      { compares, writes: [{ key, value }] },
      'the host record',
      options,
    );
  });
}

/** Raises the count of this host, as `read` gives it; tells what was written. */
export async function raiseCount(
  { store, nodeName, hostUuid }: LineageHost,
  atLeast: number,
  read: (key: string) => Promise<Entry | undefined>,
  options: CallOptions,
): Promise<{ readonly count: number; readonly revision: bigint }> {
  const key = hostCountKey(nodeName);
  return retryOnConflict(ATTEMPTS, async () => {
    const entry = await read(key);
    const count = Math.max(decodeCount(entry?.value)?.count ?? 0, atLeast) + 1;
    const value = JSON.stringify({ uuid: hostUuid, count });
    const transaction = {
      compares: [{ key, revision: entry?.revision ?? 0n }],
      writes: [{ key, value }],
    };
    const revision = await commitOrConflict(store, transaction, 'the count of the host', options);
    return { count, revision };
  });
}

/** The stored count with the machine that wrote it; undefined for what is none. */
export function decodeCount(
  text: string | undefined,
): { readonly uuid: string; readonly count: number } | undefined {
  try {
    const { uuid, count } = JSON.parse(text ?? 'null') as { uuid?: unknown; count?: unknown };
    return typeof uuid === 'string' && typeof count === 'number' ? { uuid, count } : undefined;
  } catch {
    return undefined;
  }
}

/** Hosts that are remembered and have no record here (any more) get an empty one: all hosts then wait for them. */
export async function recallHosts(
  { store, nodeName }: LineageHost,
  names: readonly string[],
  options: CallOptions,
): Promise<void> {
  const others = names.filter((name) => name !== nodeName);
  const entries = await store.getMany(others.map(hostRecordKey), options);
  for (const name of others) {
    const key = hostRecordKey(name);
    if (entries.get(key) !== undefined) continue;
    const value = encodeHostRecord({ uuid: '', version: '' });
    // When it does not hold, the host itself was faster.
    await store.commit({ compares: [{ key, revision: 0n }], writes: [{ key, value }] }, options);
  }
}
