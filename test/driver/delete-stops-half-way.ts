// The agent fails once while an endpoint is deleted: pair and endpoint object stay.
import t from 'tap';
import { createMemoryStore } from '../fixtures/memory-store.js';
import { Fault } from '../../src/base/index.js';
import { startPluginPair } from '../fixtures/plugin-pair.js';
import { clusterOf } from '../fixtures/stored-objects.js';
import { until } from '../fixtures/until.js';
import {
  create,
  createNetwork,
  endpointId,
  join,
  NETWORK,
  request,
  wepKey,
} from '../fixtures/plugin-calls.js';

t.test('deletes carry on past a failure (invariant 4)', async (t) => {
  const memory = createMemoryStore({ entries: clusterOf(['node1'], { pool1: '10.20.0.0/16' }) });
  const pair = await startPluginPair({ store: memory });
  t.teardown(() => pair.stop());
  const poolId = await createNetwork(pair);
  const id = endpointId('b');
  await create(pair, id, await request(pair, poolId));
  await join(pair, id);
  const programmer = pair.core.driver.endpoints.context.programmer as {
    withdraw(id: string): Promise<void>;
  };
  const real = programmer.withdraw;
  programmer.withdraw = async () => {
    programmer.withdraw = real;
    throw new Fault('internal', 'nft failed once');
  };
  await pair.network.call('NetworkDriver.DeleteEndpoint', { NetworkID: NETWORK, EndpointID: id });
  t.notOk(memory.dump()[wepKey(id)], 'the endpoint object is gone');
  await until(
    async () => (await pair.netlink.links()).every(({ name }) => !name.startsWith('cali')),
    'the pair',
    1_000,
  ).then(
    () => t.pass('pair gone'),
    () => t.fail('the pair stays'),
  );
});
