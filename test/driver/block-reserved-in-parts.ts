// A block that two reservations cover together (or the whole of --ip-range that one covers): the search finds it again and again.
import t from 'tap';
import { createFaultyStore } from '../fixtures/faulty-store.js';
import { createMemoryStore } from '../fixtures/memory-store.js';
import { startPluginPair } from '../fixtures/plugin-pair.js';
import { clusterOf } from '../fixtures/stored-objects.js';
import { blockOrder } from '../../src/ipam/pools.js';
import { Cidr } from '../../src/model/index.js';
import { createNetwork, request } from '../fixtures/plugin-calls.js';

t.test('another block is taken', async (t) => {
  const first = [
    ...blockOrder(
      { cidr: Cidr.parse('10.20.0.0/24'), blockSize: 26 } as never,
      Cidr.parse('10.20.0.0/24'),
      'node1',
    ),
  ][0] as Cidr;
  const halves = [Cidr.of(first.base, 27), Cidr.of(first.base.plus(32), 27)].map(String);
  const memory = createMemoryStore({
    entries: {
      ...clusterOf(['node1'], { pool1: { cidr: '10.20.0.0/24', blockSize: 26 } }),
      '/calico/resources/v3/projectcalico.org/ipreservations/r': JSON.stringify({
        kind: 'IPReservation',
        apiVersion: 'projectcalico.org/v3',
        metadata: { name: 'r' },
        spec: { reservedCIDRs: halves },
      }),
    },
  });
  const store = createFaultyStore(memory);
  const pair = await startPluginPair({ store });
  t.teardown(() => pair.stop());
  const poolId = await createNetwork(pair, '10.20.0.0/24');
  store.reset();
  const answer = await Promise.race([
    request(pair, poolId).catch((error: Error) => error.message),
    new Promise((r) => setTimeout(() => r('no answer in 3 s'), 3_000)),
  ]);
  t.comment(`${store.roundTrips} round trips`);
  t.match(answer, /^10\.20\.0\./, 'three blocks are free');
  setTimeout(() => process.exit(), 200);
});
