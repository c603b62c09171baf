import t from 'tap';
import { systemClock } from '../../src/base/index.js';
import { resourceKey } from '../../src/datastore/index.js';
import { settleEpoch, type DatastoreVerdict } from '../../src/node/index.js';
import { createMemoryStore, type MemoryStore } from '../fixtures/memory-store.js';

const clusterInformationKey = resourceKey('clusterinformations', 'default');
const uuid = '6f0c1f1e-0000-4000-8000-000000000000';
const first: DatastoreVerdict = { kind: 'first' };
const gone: DatastoreVerdict = { kind: 'exchanged', how: 'went-back', why: 'it did' };

interface Stored {
  metadata: { annotations?: Record<string, string> };
  spec: { clusterGUID?: string };
}

const edit = (memory: MemoryStore, change: (stored: Stored) => void): void => {
  const stored = JSON.parse(memory.dump()[clusterInformationKey] ?? '') as Stored;
  change(stored);
  memory.put(clusterInformationKey, JSON.stringify(stored));
};

/** A cluster as a version without epochs left it. */
async function oldCluster() {
  const memory = createMemoryStore();
  const host = { store: memory, nodeName: 'a', hostUuid: uuid };
  const settle = (verdict: DatastoreVerdict, recorded?: Parameters<typeof settleEpoch>[2]) =>
    settleEpoch(host, verdict, recorded, { clock: systemClock });
  const { clusterGuid } = await settle(first);
  edit(memory, ({ metadata }) => delete metadata.annotations);
  const recorded = { type: 'embedded', storeId: 'x', clusterGuid } as const;
  return { memory, settle, recorded };
}

t.test('an upgrade begins epoch 1, an exchange never does', async (t) => {
  const { settle, recorded } = await oldCluster();
  t.equal((await settle({ kind: 'same' }, recorded)).epoch.number, 1);
  const other = await settle(gone, recorded);
  t.equal(other.epoch.number, 2, 'another host upgraded it before this one saw the exchange');
  t.same((await settle({ kind: 'same' }, recorded)).epoch, other.epoch);
  t.equal((await (await oldCluster()).settle(first)).epoch.number, 1);
  const lost = await oldCluster();
  t.equal((await lost.settle(gone, lost.recorded)).epoch.number, 2);
});

t.test('a cluster that lost its GUID gets the recorded one', async (t) => {
  const { memory, settle, recorded } = await oldCluster();
  edit(memory, ({ spec }) => delete spec.clusterGUID);
  t.equal((await settle(gone, recorded)).clusterGuid, recorded.clusterGuid);
  memory.delete(clusterInformationKey);
  t.equal((await settle(gone, recorded)).clusterGuid, recorded.clusterGuid);
});
