// ReleaseAddress decided while CreateEndpoint was under way: the endpoint was stored, and its address was free.
import { setTimeout as delay } from 'node:timers/promises';
import t, { type Test } from 'tap';
import { createFaultyStore } from '../fixtures/faulty-store.js';
import { createMemoryStore } from '../fixtures/memory-store.js';
import {
  create,
  createNetwork,
  endpointId,
  release,
  request,
  wepKey,
} from '../fixtures/plugin-calls.js';
import { startPluginPair } from '../fixtures/plugin-pair.js';
import { clusterOf, takenAddresses } from '../fixtures/stored-objects.js';

async function setUp(t: Test) {
  const memory = createMemoryStore({ entries: clusterOf(['node1'], { pool1: '10.20.0.0/16' }) });
  const store = createFaultyStore(memory);
  const pair = await startPluginPair({ store });
  t.teardown(() => pair.stop());
  const poolId = await createNetwork(pair);
  const address = await request(pair, poolId);
  return { memory, store, pair, poolId, address };
}

t.test('an address and its endpoint go together or not at all', async (t) => {
  const { memory, store, pair, poolId, address } = await setUp(t);
  const id = endpointId('b');
  let releasing: Promise<unknown> = Promise.resolve();
  // While the endpoint's commit is on its way.
  store.beforeCommit(async () => {
    releasing = release(pair, poolId, address);
    await delay(50);
  });
  await create(pair, id, address);
  await releasing;
  const stored = memory.dump()[wepKey(id)] !== undefined;
  t.equal(takenAddresses(memory.dump()).size, stored ? 1 : 0);
});

t.test('a release that was decided before the endpoint was stored is decided again', async (t) => {
  const { memory, store, pair, poolId, address } = await setUp(t);
  const id = endpointId('b');
  store.beforeCommit(async () => void (await create(pair, id, address)));
  await release(pair, poolId, address);
  const stored = memory.dump()[wepKey(id)] !== undefined;
  t.equal(takenAddresses(memory.dump()).size, stored ? 1 : 0);
});
