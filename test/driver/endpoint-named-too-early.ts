// The network's name is learnt while CreateEndpoint's commit (with the provisional profile) is under way: nobody corrects it.
import t from 'tap';
import { createFaultyStore } from '../fixtures/faulty-store.js';
import { createMemoryStore } from '../fixtures/memory-store.js';
import { startPluginPair } from '../fixtures/plugin-pair.js';
import { clusterOf } from '../fixtures/stored-objects.js';
import { until } from '../fixtures/until.js';
import {
  create,
  createNetwork,
  endpointId,
  NETWORK,
  request,
  wepKey,
} from '../fixtures/plugin-calls.js';

t.test('the profile is corrected', async (t) => {
  const memory = createMemoryStore({ entries: clusterOf(['node1'], { pool1: '10.20.0.0/16' }) });
  const store = createFaultyStore(memory);
  const names: Record<string, string> = {};
  const pair = await startPluginPair({ store, names });
  t.teardown(() => pair.stop());
  const poolId = await createNetwork(pair);
  const id = endpointId('b');
  const address = await request(pair, poolId);
  const { networks, endpoints } = pair.core.driver;
  store.beforeCommit(async () => {
    // as daemon-core's onNetwork does
    names[NETWORK] = 'net1';
    await networks.rename(NETWORK, 'net1', {});
    await endpoints.named(NETWORK, 'net1');
  });
  await create(pair, id, address);
  const profiles = () => JSON.parse(memory.dump()[wepKey(id)] ?? '{}').spec.profiles[0];
  await until(() => profiles() === 'net1', 'net1', 1_500).then(
    () => t.pass(''),
    () => t.fail(`stays ${profiles()}`),
  );
});
