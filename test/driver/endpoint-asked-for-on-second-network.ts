// An EndpointID came again for another network: its interface was made anew under a running container.
import t from 'tap';
import { createMemoryStore } from '../fixtures/memory-store.js';
import { startPluginPair } from '../fixtures/plugin-pair.js';
import { create, createNetwork, endpointId, join, MAC, request } from '../fixtures/plugin-calls.js';
import { clusterOf } from '../fixtures/stored-objects.js';

const OTHER = 'b'.repeat(64);

t.test('an endpoint stays with the network that it was made for', async (t) => {
  const entries = clusterOf(['node1'], { pool1: '10.20.0.0/16', pool2: '10.30.0.0/16' });
  const memory = createMemoryStore({ entries });
  const pair = await startPluginPair({ store: memory });
  t.teardown(() => pair.stop());
  const poolId = await createNetwork(pair);
  await createNetwork(pair, '10.30.0.0/16', OTHER);
  const id = endpointId('c');
  const address = await request(pair, poolId);
  await create(pair, id, address);
  const links = await pair.netlink.links();
  const refusal = /endpoint c{12} belongs to network a{12}, not to b{12}/;
  await t.rejects(create(pair, id, address, MAC, OTHER), refusal);
  await t.rejects(join(pair, id, '/sandbox/1', OTHER), refusal);
  t.same(await pair.netlink.links(), links, 'its interface is the same');
  await t.resolves(join(pair, id));
});
