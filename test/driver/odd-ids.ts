// IDs that no engine sends: they become names of interfaces, keys and handles, and must be nobody else's.
import t, { type Test } from 'tap';
import { createMemoryStore } from '../fixtures/memory-store.js';
import {
  create,
  createNetwork,
  endpointId,
  join,
  release,
  request,
} from '../fixtures/plugin-calls.js';
import { startPluginPair } from '../fixtures/plugin-pair.js';
import { clusterOf, takenAddresses } from '../fixtures/stored-objects.js';

async function setUp(t: Test) {
  const memory = createMemoryStore({
    entries: clusterOf(['a.b', 'a'], { pool1: '10.20.0.0/16' }),
  });
  const pair = await startPluginPair({ store: memory, node: 'a' });
  t.teardown(() => pair.stop());
  return { memory, pair, poolId: await createNetwork(pair) };
}

t.test('endpoints whose interfaces would have one name', async (t) => {
  const { memory, pair, poolId } = await setUp(t);
  const first = endpointId('b');
  const second = `${'b'.repeat(11)}${'c'.repeat(53)}`;
  const mac = '02:42:0a:14:00:02';
  await create(pair, first, await request(pair, poolId));
  await join(pair, first);
  const link = await pair.netlink.linkByName(`cali${'b'.repeat(11)}`);
  const address = await request(pair, poolId, mac);
  await t.rejects(create(pair, second, address, mac), { message: /has the interface calibbb/ });
  t.same(await pair.netlink.linkByName(`cali${'b'.repeat(11)}`), link, 'the first keeps its own');
  await release(pair, poolId, address);
  t.equal(takenAddresses(memory.dump()).size, 1);
  const of = { NetworkID: 'a'.repeat(64), EndpointID: first };
  await pair.network.call('NetworkDriver.DeleteEndpoint', of);
  await t.resolves(create(pair, second, await request(pair, poolId, mac), mac), 'when it is gone');
});

t.test('EndpointIDs with odd characters', async (t) => {
  const { memory, pair, poolId } = await setUp(t);
  const address = await request(pair, poolId);
  const before = Object.keys(memory.dump()).sort();
  for (const id of ['.', '..', 'a.b', '../../x', 'a/b', 'a b', 'a\n', '', 'é', 'b'.repeat(200)]) {
    await t.rejects(create(pair, id, address), { message: /EndpointID/ }, JSON.stringify(id));
    const of = { NetworkID: 'a'.repeat(64), EndpointID: id };
    // Refused, or nothing to do.
    await pair.network.call('NetworkDriver.DeleteEndpoint', of).catch(() => undefined);
  }
  t.same(Object.keys(memory.dump()).sort(), before, 'nothing was stored');
  await create(pair, 'A-b_c', address);
  await t.resolves(join(pair, 'A-b_c'));
});

t.test('PoolIDs with odd characters make no handles', async (t) => {
  const { memory, pair } = await setUp(t);
  const gateway = { RequestAddressType: 'com.docker.network.gateway' };
  const before = Object.keys(memory.dump()).sort();
  const end = '0123456789ab';
  for (const PoolID of [
    ...[`../../x.any4.${end}`, `x.any4.${end}`, `a b.v4.${end}`, `pool1\n.v4.${end}`, `.v4.${end}`],
    ...[`pool1.v4-${'f'.repeat(9)}-24.${end}`, `pool1.v4-0a140000-33.${end}`, `pool1.v6.${end}`],
    ...['pool1/../x', '', 'x'.repeat(4000), `auto.any5.${end}`],
  ]) {
    for (const Address of ['', '10.20.0.1']) {
      const body = { PoolID, Address, Options: gateway };
      await t.rejects(pair.ipam.call('IpamDriver.RequestAddress', body), PoolID.slice(0, 40));
      await pair.ipam.call('IpamDriver.ReleasePool', { PoolID }).catch(() => undefined);
    }
  }
  t.same(Object.keys(memory.dump()).sort(), before);
});

t.test('a node whose name begins another’s does not take its handles for its own', async (t) => {
  const { memory, pair, poolId } = await setUp(t);
  await create(pair, endpointId('b'), await request(pair, poolId));
  const handles = Object.keys(memory.dump()).filter((key) => key.includes('/handle/'));
  t.match(handles, [/\/docker\.a\.[0-9a-f]{32}$/]);
  const { isOwnHandle } = await import('../../src/reconcile/index.js');
  const handle = handles[0]?.split('/').at(-1) ?? '';
  t.ok(isOwnHandle(handle, 'a'));
  t.notOk(isOwnHandle(handle.replace('docker.a.', 'docker.a.b.'), 'a'));
});

t.test('a MAC that is none does not get into the block', async (t) => {
  const { memory, pair, poolId } = await setUp(t);
  const before = memory.dump();
  for (const mac of ['a\0b', '\n', '02:42', 'x'.repeat(3000), '\ud800'])
    await t.rejects(request(pair, poolId, mac), { message: /is no MAC address/ }, mac.slice(0, 9));
  t.same(memory.dump(), before);
});
