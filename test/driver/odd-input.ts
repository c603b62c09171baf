import t, { type Test } from 'tap';
import { createMemoryStore } from '../fixtures/memory-store.js';
import { startPluginPair } from '../fixtures/plugin-pair.js';
import { clusterOf } from '../fixtures/stored-objects.js';
import {
  create,
  createNetwork,
  endpointId,
  join,
  MAC,
  NETWORK,
  request,
} from '../fixtures/plugin-calls.js';

const setUp = async (
  t: Test,
  pools: Readonly<Record<string, string>> = { pool1: '10.20.0.0/16' },
) => {
  const memory = createMemoryStore({ entries: clusterOf(['node1'], pools) });
  const pair = await startPluginPair({ store: memory });
  t.teardown(() => pair.stop());
  return { memory, pair };
};
const networkBody = (generic: unknown) => ({
  NetworkID: NETWORK,
  Options: { 'com.docker.network.generic': generic },
  IPv4Data: [{ AddressSpace: 'CalicoLocalAddressSpace', Pool: '10.20.0.0/16' }],
  IPv6Data: [],
});
t.test('-o constructor=x is an unknown option', async (t) => {
  const { pair } = await setUp(t);
  await t.rejects(
    pair.network.call('NetworkDriver.CreateNetwork', networkBody({ constructor: 'x' })),
    /unknown network option/,
  );
});
t.test('-o profile= (empty)', async (t) => {
  const { pair, memory } = await setUp(t);
  const { PoolID } = await pair.ipam.call('IpamDriver.RequestPool', { Pool: '10.20.0.0/16' });
  await pair.network.call('NetworkDriver.CreateNetwork', networkBody({ profile: '' }));
  await create(pair, endpointId('b'), await request(pair, String(PoolID)));
  t.notOk(
    Object.keys(memory.dump()).some((key) => key.endsWith('/profiles/')),
    'no profile without a name',
  );
});
t.test('a pool named "auto" is that pool and no other', async (t) => {
  const { pair } = await setUp(t, { aaa: '10.9.0.0/24', auto: '10.20.0.0/16' });
  const poolId = await createNetwork(pair);
  t.match(await request(pair, poolId), /^10\.20\./);
});
t.test('Join again with IPv6', async (t) => {
  const { pair } = await setUp(t, { p6: 'fd00::/112' });
  const { PoolID } = await pair.ipam.call('IpamDriver.RequestPool', {
    Pool: 'fd00::/112',
    V6: true,
  });
  await pair.network.call('NetworkDriver.CreateNetwork', {
    NetworkID: NETWORK,
    Options: {},
    IPv4Data: [],
    IPv6Data: [{ AddressSpace: 'CalicoLocalAddressSpace', Pool: 'fd00::/112' }],
  });
  const address = await request(pair, String(PoolID));
  const id = endpointId('b');
  await pair.network.call('NetworkDriver.CreateEndpoint', {
    NetworkID: NETWORK,
    EndpointID: id,
    Interface: { AddressIPv6: address, MacAddress: MAC },
    Options: {},
  });
  await join(pair, id);
  await t.resolves(join(pair, id));
});
t.test('empty bodies are refused', async (t) => {
  const { pair } = await setUp(t);
  for (const method of ['Join', 'Leave', 'DeleteEndpoint', 'CreateEndpoint', 'DeleteNetwork'])
    t.equal((await pair.network.raw(`NetworkDriver.${method}`)).status, 400, method);
  for (const method of ['RequestAddress', 'ReleaseAddress', 'RequestPool', 'ReleasePool'])
    t.equal((await pair.ipam.raw(`IpamDriver.${method}`)).status, 400, method);
});
t.test('two creations at once on one pool, one fails: the other keeps its PoolID', async (t) => {
  const { pair } = await setUp(t);
  const a = await pair.ipam.call('IpamDriver.RequestPool', { Pool: '10.20.0.0/16' });
  const b = await pair.ipam.call('IpamDriver.RequestPool', { Pool: '10.20.0.0/16' });
  await pair.network.call('NetworkDriver.CreateNetwork', networkBody({})); // that of a
  await pair.ipam.call('IpamDriver.ReleasePool', { PoolID: b['PoolID'] }); // the other failed
  await t.resolves(request(pair, String(a['PoolID'])));
});
t.test('deep JSON', async (t) => {
  const { pair } = await setUp(t);
  const deep = '['.repeat(1_000_000) + ']'.repeat(1_000_000);
  const answer = await pair.network.raw(
    'NetworkDriver.AllocateNetwork',
    JSON.parse(`{"NetworkID":"x","Options":{"a":1}}`),
  );
  t.equal(answer.status, 200);
  const { request: http } = await import('node:http');
  const status = await new Promise((resolve, reject) => {
    const r = http(
      {
        socketPath: `${pair.directory}/calico.sock`,
        path: '/NetworkDriver.AllocateNetwork',
        method: 'POST',
      },
      (res) => {
        res.resume();
        resolve(res.statusCode);
      },
    );
    r.on('error', reject);
    r.end(`{"NetworkID":"x","Options":{"a":${deep}}}`);
  });
  t.ok([400, 500].includes(status as number), `status ${status}`);
});
