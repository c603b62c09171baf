// The release that takes an endpoint along had happened, its reply was lost and the read after it failed: repeated
// later, it found the address free and left the endpoint's interface for good.
import t from 'tap';
import { createFaultyStore } from '../fixtures/faulty-store.js';
import { createMemoryStore } from '../fixtures/memory-store.js';
import { create, createNetwork, endpointId, release, request } from '../fixtures/plugin-calls.js';
import { startPluginPair } from '../fixtures/plugin-pair.js';
import { catchUp } from '../fixtures/random-call-ending.js';
import { clusterOf } from '../fixtures/stored-objects.js';

t.test('the interface goes with the repetition', async (t) => {
  const memory = createMemoryStore({ entries: clusterOf(['node1'], { pool1: '10.20.0.0/16' }) });
  const store = createFaultyStore(memory);
  const pair = await startPluginPair({ store });
  t.teardown(() => pair.stop());
  const poolId = await createNetwork(pair);
  const address = await request(pair, poolId);
  await create(pair, endpointId('b'), address);
  store.failAfterCommit();
  store.failBefore('getMany');
  await release(pair, poolId, address);
  t.equal(pair.pending.length, 1, 'written down');
  await catchUp(pair);
  t.same(pair.pending, []);
  await pair.core.driver.endpoints.context.veths.flush();
  t.same(
    (await pair.netlink.links()).map(({ name }) => name),
    ['lo'],
  );
  t.same(pair.core.book.all(), []);
});
