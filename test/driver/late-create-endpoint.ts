// CreateEndpoint answered "timeout", its commit arrives later. Docker sends ReleaseAddress only (2.5).
import t from 'tap';
import { orAbort, deadline } from '../../src/base/index.js';
import { createEndpoint } from '../../src/driver/create-endpoint.js';
import { createFaultyStore } from '../fixtures/faulty-store.js';
import { createMemoryStore } from '../fixtures/memory-store.js';
import { startPluginPair } from '../fixtures/plugin-pair.js';
import { clusterOf, takenAddresses } from '../fixtures/stored-objects.js';
import { until } from '../fixtures/until.js';
import {
  createNetwork,
  endpointId,
  MAC,
  NETWORK,
  release,
  request,
  wepKey,
} from '../fixtures/plugin-calls.js';

t.test('an endpoint whose call had ended leaves nothing', async (t) => {
  const memory = createMemoryStore({ entries: clusterOf(['node1'], { pool1: '10.20.0.0/16' }) });
  const store = createFaultyStore(memory);
  const pair = await startPluginPair({ store, names: { [NETWORK]: 'net1' } });
  t.teardown(() => pair.stop());
  const poolId = await createNetwork(pair);
  const id = endpointId('b');
  const address = await request(pair, poolId);
  store.delay(300);
  const signal = deadline(100); // as rpc does, with 20 s there
  const body = {
    NetworkID: NETWORK,
    EndpointID: id,
    Interface: { Address: address, MacAddress: MAC },
    Options: {},
  };
  const work = createEndpoint(pair.core.driver.endpoints.context, body, signal);
  await t.rejects(
    orAbort(work, signal, 'CreateEndpoint'),
    /bound/,
    'Docker is told that it failed',
  );
  await work.catch(() => undefined);
  store.delay(0);
  await release(pair, poolId, address);
  await until(
    async () => (await pair.netlink.links()).every(({ name }) => !name.startsWith('cali')),
    'the pair to go',
    2_000,
  ).then(
    () => t.pass('pair gone'),
    () => t.fail('the veth pair stays for ever'),
  );
  t.notOk(memory.dump()[wepKey(id)], 'no endpoint');
  t.equal(takenAddresses(memory.dump()).size, 0, 'no address');
});
t.test('an address whose call had ended is given back', async (t) => {
  const memory = createMemoryStore({ entries: clusterOf(['node1'], { pool1: '10.20.0.0/16' }) });
  const store = createFaultyStore(memory);
  const pair = await startPluginPair({ store });
  t.teardown(() => pair.stop());
  const poolId = await createNetwork(pair);
  const first = await request(pair, poolId, '02:42:0a:14:00:07'); // the block exists
  await release(pair, poolId, first);
  const { allocator } = pair.core.ipam;
  const { parsePoolId } = await import('../../src/ipam/index.js');
  store.delay(300);
  const signal = deadline(100);
  const work = allocator.request({
    poolId: parsePoolId(poolId),
    family: 4,
    address: undefined,
    mac: MAC,
    holder: 'endpoint',
    signal,
  });
  await t.rejects(orAbort(work, signal), /bound/);
  await work.catch(() => undefined);
  store.delay(0);
  await until(
    () => takenAddresses(memory.dump()).size === 0 || pair.unknownClaims.length > 0,
    'the address to be freed or noted',
    1_000,
  ).then(
    () => t.pass('noted'),
    () => t.fail('the address stays taken and nobody wrote it down'),
  );
});
