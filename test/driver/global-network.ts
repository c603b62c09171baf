// W1 with a cluster store (scope global): the network is made on node1, a container starts on node2.
import t, { type Test } from 'tap';
import { createMemoryStore } from '../fixtures/memory-store.js';
import { startPluginPair } from '../fixtures/plugin-pair.js';
import { clusterOf } from '../fixtures/stored-objects.js';
import { createNetwork, NETWORK, request } from '../fixtures/plugin-calls.js';

const setUp = async (t: Test) => {
  const memory = createMemoryStore({
    entries: clusterOf(['node1', 'node2'], { pool1: '10.20.0.0/16' }),
  });
  const one = await startPluginPair({ store: memory });
  const two = await startPluginPair({
    store: memory,
    node: 'node2',
    uuid: '6f1f3f0a-0000-4000-8000-000000000002',
  });
  t.teardown(async () => {
    await one.stop();
    await two.stop();
  });
  return { memory, one, two };
};
t.test('a container starts on a host that did not make the network', async (t) => {
  const { one, two } = await setUp(t);
  const poolId = await createNetwork(one);
  await t.resolves(request(two, poolId), 'RequestAddress on node2');
});
t.test(
  'the network is removed on a host that did not make it (cluster store: one DeleteNetwork, on one host)',
  async (t) => {
    const { memory, one, two } = await setUp(t);
    await createNetwork(one);
    await two.network.call('NetworkDriver.DeleteNetwork', { NetworkID: NETWORK });
    t.notOk(
      Object.keys(memory.dump()).some((key) => key.includes('/docker/v1/networks/')),
      'the record is gone',
    );
  },
);
t.test(
  'CreateNetwork of the same NetworkID on a second host (swarm): the record outlives the first host',
  async (t) => {
    const { memory, one, two } = await setUp(t);
    const body = {
      NetworkID: NETWORK,
      Options: {},
      IPv4Data: [{ AddressSpace: 'CalicoLocalAddressSpace', Pool: '10.20.0.0/16' }],
      IPv6Data: [],
    };
    await one.network.call('NetworkDriver.CreateNetwork', body);
    await two.network.call('NetworkDriver.CreateNetwork', body);
    await one.network.call('NetworkDriver.DeleteNetwork', { NetworkID: NETWORK });
    t.ok(
      Object.keys(memory.dump()).some((key) => key.includes('/docker/v1/networks/')),
      'node2 still uses it',
    );
  },
);
