import t, { type Test } from 'tap';
import { MemoryNetlink } from '../../src/netlink/index.js';
import { createMemoryStore } from '../fixtures/memory-store.js';
import {
  create,
  createNetwork,
  endpointId,
  join,
  NETWORK,
  request,
} from '../fixtures/plugin-calls.js';
import { startPluginPair, type PluginPair } from '../fixtures/plugin-pair.js';
import { clusterOf } from '../fixtures/stored-objects.js';

const PORT_MAP = 'com.docker.network.portmap';
const HTTP = { Proto: 6, IP: '', Port: 80, HostIP: '', HostPort: 8080, HostPortEnd: 8080 };

interface Scene extends PluginPair {
  readonly kernel: MemoryNetlink;
}

async function setUp(t: Test): Promise<Scene> {
  const kernel = new MemoryNetlink();
  const store = createMemoryStore({ entries: clusterOf(['node1'], { pool1: '10.20.0.0/16' }) });
  const pair = await startPluginPair({ store, netlink: kernel });
  t.teardown(() => pair.stop());
  const poolId = await createNetwork(pair);
  for (const [at, letter] of ['a', 'b'].entries()) {
    const mac = `02:42:0a:14:00:0${at}`;
    await create(pair, endpointId(letter), await request(pair, poolId, mac), mac);
    await join(pair, endpointId(letter), `/sandbox/${letter}`);
  }
  return { ...pair, kernel };
}

const publish = (pair: PluginPair, letter: string, map: unknown) =>
  pair.network.call('NetworkDriver.ProgramExternalConnectivity', {
    ...{ NetworkID: NETWORK, EndpointID: endpointId(letter) },
    Options: { [PORT_MAP]: map },
  });
const revoke = (pair: PluginPair, letter: string) =>
  pair.network.call('NetworkDriver.RevokeExternalConnectivity', {
    ...{ NetworkID: NETWORK, EndpointID: endpointId(letter) },
  });
const portsOf = (pair: PluginPair, letter: string) =>
  pair.programmed.get(endpointId(letter))?.published?.map(({ hostPort, port }) => [hostPort, port]);

t.test('published, said again, and given up', async (t) => {
  const pair = await setUp(t);
  await publish(pair, 'a', [HTTP]);
  await publish(pair, 'a', [HTTP]);
  t.same(portsOf(pair, 'a'), [[8080, 80]]);
  await join(pair, endpointId('a'), '/sandbox/a');
  t.same(portsOf(pair, 'a'), [[8080, 80]], 'a repeated Join keeps them');
  pair.kernel.moveAway(`temp${endpointId('a').slice(0, 11)}`);
  await t.rejects(publish(pair, 'b', [HTTP]), { message: /port 8080 is in use/ });
  t.same(portsOf(pair, 'b'), []);
  await revoke(pair, 'a');
  await revoke(pair, 'a');
  t.same(portsOf(pair, 'a'), []);
});

t.test('a dead container does not hold its ports', async (t) => {
  const pair = await setUp(t);
  await publish(pair, 'a', [HTTP]);
  const link = await pair.netlink.linkByName(`cali${endpointId('a').slice(0, 11)}`);
  await pair.netlink.deleteLinks([{ index: link?.index ?? 0, name: link?.name ?? '' }]);
  await publish(pair, 'b', [HTTP]);
  t.same(portsOf(pair, 'b'), [[8080, 80]]);
});

t.test('a container that died while its pair stayed does not hold them either', async (t) => {
  const pair = await setUp(t);
  await publish(pair, 'a', [HTTP]);
  // Its inner end is back on the host under its first name.
  t.ok(await pair.netlink.linkByName(`temp${endpointId('a').slice(0, 11)}`));
  await publish(pair, 'b', [HTTP]);
  t.same(portsOf(pair, 'b'), [[8080, 80]]);
});

t.test('one that left does not hold them', async (t) => {
  const pair = await setUp(t);
  await publish(pair, 'a', [HTTP]);
  await pair.network.call('NetworkDriver.Leave', {
    ...{ NetworkID: NETWORK, EndpointID: endpointId('a') },
  });
  t.same(portsOf(pair, 'a'), []);
  await publish(pair, 'b', [HTTP]);
  t.same(portsOf(pair, 'b'), [[8080, 80]]);
});

t.test('another gateway of the same container takes them over', async (t) => {
  const pair = await setUp(t);
  await publish(pair, 'a', [HTTP]);
  await join(pair, endpointId('b'), '/sandbox/a');
  await publish(pair, 'b', [HTTP]);
  t.same(portsOf(pair, 'a'), []);
  t.same(portsOf(pair, 'b'), [[8080, 80]]);
});

t.test('an empty list gives them up, and one that repeats itself is no conflict', async (t) => {
  const pair = await setUp(t);
  await publish(pair, 'a', [HTTP, HTTP]);
  t.same(portsOf(pair, 'a'), [[8080, 80]]);
  await publish(pair, 'a', []);
  t.same(portsOf(pair, 'a'), []);
});

t.test('what Docker does not send is refused, and of unknown endpoints', async (t) => {
  const pair = await setUp(t);
  const wrong: Readonly<Record<string, unknown>> = {
    'is no list': 'text',
    'has a protocol that is not': [{ ...HTTP, Proto: 1 }],
    'has a number that is none': [{ ...HTTP, HostPort: 65_536 }],
    'names no port': [{ ...HTTP, Port: 0 }],
    'has a range that ends': [{ ...HTTP, HostPort: 8081 }],
    'has host address ::1': [{ ...HTTP, HostIP: '::1' }],
    'has a host address that is none': [{ ...HTTP, HostIP: 'x"; flush ruleset' }],
  };
  for (const [message, map] of Object.entries(wrong)) {
    await t.rejects(publish(pair, 'a', map), { message: new RegExp(message) });
  }
  t.same(portsOf(pair, 'a'), []);
  const elsewhere = pair.network.call('NetworkDriver.ProgramExternalConnectivity', {
    ...{ NetworkID: 'f'.repeat(64), EndpointID: endpointId('a') },
    Options: { [PORT_MAP]: [HTTP] },
  });
  await t.rejects(elsewhere, { message: /belongs to network/ });
  await t.rejects(publish(pair, 'c', [HTTP]), { message: /does not exist on this host/ });
  await revoke(pair, 'c');
});
