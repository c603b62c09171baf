// A release of an address in a block that nobody has made it a block of this host, in memory: the next start claimed it.
import t from 'tap';
import { createMemoryStore } from '../fixtures/memory-store.js';
import { createNetwork, release, request } from '../fixtures/plugin-calls.js';
import { startPluginPair } from '../fixtures/plugin-pair.js';
import { clusterOf } from '../fixtures/stored-objects.js';

t.test('releases of addresses that nobody has leave no blocks in memory', async (t) => {
  const memory = createMemoryStore({ entries: clusterOf(['node1'], { pool1: '10.20.0.0/16' }) });
  const pair = await startPluginPair({ store: memory });
  t.teardown(() => pair.stop());
  const poolId = await createNetwork(pair);
  await request(pair, poolId);
  for (let block = 0; block < 20; block += 1) await release(pair, poolId, `10.20.${block}.1`);
  t.equal(pair.core.ipam.allocator.counts.blocks, 1);
  await request(pair, poolId, '02:42:0a:14:00:02');
  const blocks = Object.keys(memory.dump()).filter((key) => key.includes('/block/10.20.'));
  t.equal(blocks.filter((key) => key.includes('/assignment/')).length, 1, 'one block is enough');
});
