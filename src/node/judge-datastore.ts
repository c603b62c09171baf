import type { Epoch } from './epoch.js';
import { parseEpoch } from './epoch.js';
import type { RecordedDatastore } from './identity.js';

/** What a datastore says of itself. */
export interface FoundDatastore {
  readonly type: 'etcdv3' | 'embedded';
  readonly storeId: string;
  readonly revision: bigint;
  /** Undefined: it holds no cluster. */
  readonly clusterGuid: string | undefined;
  readonly epoch: Epoch | undefined;
  /** What this host counted there; undefined when there is none. */
  readonly count: number | undefined;
}

/** How it can be another one than before; the same word in log and `status`. */
export type Exchange =
  /** It holds no cluster any more. */
  | 'emptied'
  /** The same cluster's data in another etcd or file. */
  | 'other-store'
  /** Something that was there is not any more: restored from an older snapshot. */
  | 'went-back'
  /** Another host noticed it. */
  | 'told'
  /** The configuration of this host names another kind of datastore than before. */
  | 'moved';

export type DatastoreVerdict =
  /** This host never belonged to a cluster, or its record was removed. */
  | { readonly kind: 'first' }
  | { readonly kind: 'same' }
  | { readonly kind: 'exchanged'; readonly how: Exchange; readonly why: string }
  /** Another cluster's. */
  | { readonly kind: 'foreign'; readonly clusterGuid: string };

/** Whether this is the datastore that the host was part of, as it was left. */
export function judgeDatastore(
  recorded: RecordedDatastore | undefined,
  found: FoundDatastore,
): DatastoreVerdict {
  if (recorded === undefined) return { kind: 'first' };
  const { clusterGuid } = found;
  if (clusterGuid === undefined) return exchanged('emptied', 'it holds no cluster any more');
  const moved = recorded.type !== found.type;
  if (clusterGuid !== recorded.clusterGuid && !moved) return { kind: 'foreign', clusterGuid };
  if (moved) return exchanged('moved', `it is ${found.type} and was ${recorded.type}`);
  if (found.storeId !== recorded.storeId) {
    return exchanged('other-store', `its id is ${found.storeId} and was ${recorded.storeId}`);
  }
  return judgeHistory(recorded, found);
}

function judgeHistory(recorded: RecordedDatastore, found: FoundDatastore): DatastoreVerdict {
  const { revision, count } = recorded;
  const epoch = parseEpoch(recorded.epoch);
  if (epoch !== undefined && !sameEpoch(epoch, found.epoch)) {
    if ((found.epoch?.number ?? 0) > epoch.number)
      return exchanged('told', 'another host noticed it');
    return exchanged(
      'went-back',
      `its epoch is ${found.epoch?.number ?? 'none'}, ${epoch.number} was known`,
    );
  }
  if (revision !== undefined && found.revision < revision) {
    return exchanged('went-back', `its revision is ${found.revision} and was ${revision}`);
  }
  if (recorded.exchanged !== undefined) return exchanged('went-back', recorded.exchanged);
  if (count !== undefined && (found.count ?? -1) < count) {
    const is = found.count ?? 'gone';
    return exchanged('went-back', `the count of this host is ${is} and was ${count}`);
  }
  return { kind: 'same' };
}

const sameEpoch = (one: Epoch, other: Epoch | undefined): boolean =>
  one.id === other?.id && one.number === other.number;

const exchanged = (how: Exchange, why: string): DatastoreVerdict => ({
  kind: 'exchanged',
  how,
  why,
});
