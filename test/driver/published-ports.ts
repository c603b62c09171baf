import t, { type Test } from 'tap';
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

async function setUp(t: Test): Promise<PluginPair> {
  const store = createMemoryStore({ entries: clusterOf(['node1'], { pool1: '10.20.0.0/16' }) });
  const pair = await startPluginPair({ store });
  t.teardown(() => pair.stop());
  const poolId = await createNetwork(pair);
  for (const [at, letter] of ['a', 'b'].entries()) {
    const mac = `02:42:0a:14:00:0${at}`;
    await create(pair, endpointId(letter), await request(pair, poolId, mac), mac);
    await join(pair, endpointId(letter), `/sandbox/${letter}`);
  }
  return pair;
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

t.test('what Docker does not send is refused, and of unknown endpoints', async (t) => {
  const pair = await setUp(t);
  const wrong: Readonly<Record<string, unknown>> = {
    'is no list': 'text',
    'has a protocol that is not': [{ ...HTTP, Proto: 1 }],
    'has a number that is none': [{ ...HTTP, HostPort: 65_536 }],
    'names no port': [{ ...HTTP, Port: 0 }],
    'has a range that ends': [{ ...HTTP, HostPort: 8081 }],
    'has a host address that is none': [{ ...HTTP, HostIP: 'x"; flush ruleset' }],
  };
  for (const [message, map] of Object.entries(wrong)) {
    await t.rejects(publish(pair, 'a', map), { message: new RegExp(message) });
  }
  t.same(portsOf(pair, 'a'), []);
  await t.rejects(publish(pair, 'c', [HTTP]), { message: /does not exist on this host/ });
  await revoke(pair, 'c');
});
