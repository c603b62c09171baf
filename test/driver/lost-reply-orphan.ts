// The reply of CreateEndpoint's commit is lost and the store stays away for the read that follows.
import t from 'tap';
import { createFaultyStore } from '../fixtures/faulty-store.js';
import { createMemoryStore } from '../fixtures/memory-store.js';
import { startPluginPair } from '../fixtures/plugin-pair.js';
import { clusterOf, takenAddresses } from '../fixtures/stored-objects.js';
import {
  create,
  createNetwork,
  endpointId,
  release,
  request,
  wepKey,
} from '../fixtures/plugin-calls.js';

t.test('an endpoint that was stored unseen is remembered', async (t) => {
  const memory = createMemoryStore({ entries: clusterOf(['node1'], { pool1: '10.20.0.0/16' }) });
  const store = createFaultyStore(memory);
  const pair = await startPluginPair({ store });
  t.teardown(() => pair.stop());
  const poolId = await createNetwork(pair);
  const id = endpointId('b');
  const address = await request(pair, poolId);
  store.failAfterCommit();
  store.failBefore('get');
  await t.rejects(create(pair, id, address));
  await release(pair, poolId, address);
  t.equal(takenAddresses(memory.dump()).size, 0);
  t.ok(
    memory.dump()[wepKey(id)] === undefined ||
      pair.pending.some(({ kind }) => kind === 'delete-endpoint'),
    'the endpoint object is gone, or its deletion is written down',
  );
});
