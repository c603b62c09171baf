import t from 'tap';
import type { Fault } from '../../../src/base/index.js';
import type { Cluster } from '../../../src/datastore/etcd/cluster.js';
import { withLineage } from '../../../src/datastore/etcd/lineage.js';
import { faultOf } from '../../fixtures/fault-of.js';
import type { Call } from '../../../src/datastore/etcd/member.js';

const READ: Call = { service: 'KV', method: 'range', request: {} };
const WRITE: Call = { service: 'KV', method: 'txn', request: {} };

/** Answers by hand, in any order. */
function scene() {
  const open: ((header: { cluster_id: string; revision: string }) => void)[] = [];
  const ask = (): Promise<unknown> =>
    new Promise((resolve) => open.push((header) => resolve({ header })));
  const inner: Cluster = {
    ...{ read: ask, write: ask, close: () => undefined },
    stream: async () => {
      throw new Error('no stream here');
    },
  };
  const faults: Fault[] = [];
  const cluster = withLineage(inner, (fault) => faults.push(fault));
  const answer = (revision: number, cluster_id = '10'): void =>
    open.shift()?.({ cluster_id, revision: String(revision) });
  return { cluster, faults, answer };
}

t.test('answers that overtake each other are no news', async (t) => {
  const { cluster, faults, answer } = scene();
  const both = [cluster.read(READ), cluster.write(WRITE)];
  answer(12);
  answer(9);
  await Promise.all(both);
  t.same(faults, []);
});

t.test('a revision that was passed when the call was sent', async (t) => {
  const { cluster, faults, answer } = scene();
  const first = cluster.read(READ);
  answer(12);
  await first;
  const second = cluster.read(READ);
  answer(11);
  t.match(await faultOf(second), { kind: 'refused', reason: 'datastore-exchanged' });
  t.match(faults[0]?.message, /its revision is 11 and was 12/);
  const later = await faultOf(cluster.read(READ));
  t.equal(later.reason, 'datastore-exchanged', 'nothing more is asked');
  const stream = cluster.stream('Watch', 'watch', AbortSignal.timeout(1000));
  t.equal((await faultOf(stream)).reason, 'datastore-exchanged');
});

t.test('what such a one answers to a write may or may not be so', async (t) => {
  const { cluster, faults, answer } = scene();
  const first = cluster.read(READ);
  answer(12);
  await first;
  const writing = cluster.write(WRITE);
  answer(13, '11');
  t.match(await faultOf(writing), { kind: 'outcome-unknown', reason: 'datastore-exchanged' });
  t.match(faults[0]?.message, /etcd cluster b answers where cluster a did/);
});
