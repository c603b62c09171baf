import t from 'tap';
import { createMemoryStore } from '../fixtures/memory-store.js';
import { create, createNetwork, endpointId, request } from '../fixtures/plugin-calls.js';
import { startPluginPair, type PluginPairOptions } from '../fixtures/plugin-pair.js';
import { clusterOf } from '../fixtures/stored-objects.js';

const cases: readonly (readonly [string, Partial<PluginPairOptions>, number])[] = [
  ['what the tunnels in use leave', { workloadMtu: 1450 }, 1450],
  ['the operator’s own before that', { workloadMtu: 1450, vethMtu: 1300 }, 1300],
  ['1500 while nothing is known', {}, 1500],
];
for (const [name, options, expected] of cases) {
  t.test(`the MTU of an endpoint: ${name}`, async (t) => {
    const store = createMemoryStore({ entries: clusterOf(['node1'], { pool1: '10.20.0.0/16' }) });
    const pair = await startPluginPair({ store, ...options });
    t.teardown(() => pair.stop());
    const address = await request(pair, await createNetwork(pair));
    await create(pair, endpointId('b'), address);
    const ends = (await pair.netlink.links()).filter(({ kind }) => kind === 'veth');
    t.same(
      ends.map(({ mtu }) => mtu),
      [expected, expected],
      'both ends',
    );
  });
}
