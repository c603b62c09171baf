// dockerd is killed between CreateEndpoint and Join; after its start only ReleaseAddress comes (1.5). The pair is wholly on the host.
import t from 'tap';
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

t.test('an endpoint that never got into a container does not keep its address', async (t) => {
  const memory = createMemoryStore({ entries: clusterOf(['node1'], { pool1: '10.20.0.0/16' }) });
  const pair = await startPluginPair({ store: memory });
  t.teardown(() => pair.stop());
  const poolId = await createNetwork(pair);
  const id = endpointId('b');
  const address = await request(pair, poolId);
  await create(pair, id, address);
  t.ok(await pair.netlink.linkByName('tempbbbbbbbbbbb'), "the container's end is on the host");
  await release(pair, poolId, address);
  t.equal(takenAddresses(memory.dump()).size, 0, 'the address is free');
  t.notOk(memory.dump()[wepKey(id)], 'the endpoint is gone');
});
