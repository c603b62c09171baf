// Two NetworkIDs that begin with the same 32 digits: deleting the one that was refused took the other's record.
import t from 'tap';
import { createMemoryStore } from '../fixtures/memory-store.js';
import { createNetwork, NETWORK } from '../fixtures/plugin-calls.js';
import { startPluginPair } from '../fixtures/plugin-pair.js';
import { clusterOf } from '../fixtures/stored-objects.js';

t.test('only its own record goes with a network', async (t) => {
  const memory = createMemoryStore({ entries: clusterOf(['node1'], { pool1: '10.20.0.0/16' }) });
  const pair = await startPluginPair({ store: memory });
  t.teardown(() => pair.stop());
  await createNetwork(pair);
  const stored = memory.dump();
  const alike = `${NETWORK.slice(0, 32)}${'b'.repeat(32)}`;
  await t.rejects(createNetwork(pair, '10.20.0.0/16', alike), /another network has the record/);
  await pair.network.call('NetworkDriver.DeleteNetwork', { NetworkID: alike });
  t.same(memory.dump(), stored);
  await pair.network.call('NetworkDriver.DeleteNetwork', { NetworkID: NETWORK });
  t.not(Object.keys(memory.dump()).length, Object.keys(stored).length);
});
