// The blocks are lost (restored or emptied datastore) under a running daemon: a live container's address is given out again.
import t, { type Test } from 'tap';
import { createMemoryStore, type MemoryStore } from '../fixtures/memory-store.js';
import { startPluginPair, type PluginPair } from '../fixtures/plugin-pair.js';
import { clusterOf } from '../fixtures/stored-objects.js';
import { create, createNetwork, endpointId, join, request } from '../fixtures/plugin-calls.js';

t.test('the same host', async (t) => {
  const memory = createMemoryStore({
    entries: clusterOf(['node1'], { pool1: { cidr: '10.20.0.0/26', blockSize: 26 } }),
  });
  const pair = await startPluginPair({ store: memory });
  t.teardown(() => pair.stop());
  await run(t, memory, pair, pair);
});
async function run(t: Test, memory: MemoryStore, a: PluginPair, b: PluginPair) {
  const poolId = await createNetwork(a, '10.20.0.0/26', 'c'.repeat(64));
  const id = endpointId('b');
  const address = await request(a, poolId);
  await create(a, id, address, undefined, 'c'.repeat(64));
  await join(a, id, '/sandbox/1', 'c'.repeat(64));
  for (const key of Object.keys(memory.dump()))
    if (key.startsWith('/calico/ipam/v2/')) memory.delete(key);
  const again = await request(b, poolId, '02:42:0a:14:00:09');
  t.not(again, address, 'the address of a live container is not given out');
  if (again === address) {
    await create(b, endpointId('d'), again, '02:42:0a:14:00:09', 'c'.repeat(64)).catch(
      (error: Error) => t.comment(error.message),
    );
    t.ok(a.programmed.has(id), 'the live container keeps its routes and policy');
  }
}
