// Working tree: net1 is removed while net2 of the same pool is between RequestPool and CreateNetwork.
import t from 'tap';
import { createMemoryStore } from '../fixtures/memory-store.js';
import { startPluginPair } from '../fixtures/plugin-pair.js';
import { clusterOf } from '../fixtures/stored-objects.js';
import { createNetwork } from '../fixtures/plugin-calls.js';
t.test('net2 has its PoolID in its record', async (t) => {
  const memory = createMemoryStore({ entries: clusterOf(['node1'], { pool1: '10.20.0.0/16' }) });
  const pair = await startPluginPair({ store: memory });
  t.teardown(() => pair.stop());
  const one = await createNetwork(pair);
  const two = await pair.ipam.call('IpamDriver.RequestPool', { Pool: '10.20.0.0/16' });
  await pair.ipam.call('IpamDriver.ReleasePool', { PoolID: one });
  await pair.network.call('NetworkDriver.CreateNetwork', {
    NetworkID: 'd'.repeat(64),
    Options: {},
    IPv4Data: [{ AddressSpace: 'CalicoLocalAddressSpace', Pool: '10.20.0.0/16' }],
    IPv6Data: [],
  });
  t.same(
    JSON.parse(memory.dump()[`/calico/docker/v1/networks/${'d'.repeat(32)}`] ?? '{}').poolIDs,
    [two['PoolID']],
  );
});
