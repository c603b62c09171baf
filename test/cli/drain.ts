import t, { type Test } from 'tap';
import { nodeHoldKey, resourceKey } from '../../src/datastore/index.js';
import { decodeNode, updateNode } from '../../src/model/v3/index.js';
import { cliOn, type Cli } from '../fixtures/cli-run.js';
import { createMemoryStore, type MemoryStore } from '../fixtures/memory-store.js';
import { create, createNetwork, endpointId, request } from '../fixtures/plugin-calls.js';
import { startPluginPair, type PluginPair } from '../fixtures/plugin-pair.js';
import { clusterOf, takenAddresses } from '../fixtures/stored-objects.js';
import { until } from '../fixtures/until.js';

const VXLAN = { cidr: '10.20.0.0/16', vxlanMode: 'Always' };

interface Scene {
  readonly store: MemoryStore;
  readonly pair: PluginPair;
  readonly cli: Cli;
}

async function scene(t: Test): Promise<Scene> {
  const store = createMemoryStore({ entries: clusterOf(['node1', 'node2'], { pool1: VXLAN }) });
  const pair = await startPluginPair({ store });
  t.teardown(() => pair.stop());
  store.put(nodeHoldKey('node1'), '{}');
  pair.core.tunnels.start();
  await until(() => tunnel(store) !== undefined, 'the tunnel address');
  return { store, pair, cli: cliOn(store) };
}

const nodeText = (store: MemoryStore): string => store.dump()[resourceKey('nodes', 'node1')] ?? '';
const tunnel = (store: MemoryStore): string | undefined =>
  decodeNode(nodeText(store)).ipv4VxlanTunnelAddress;
const claims = (store: MemoryStore): readonly string[] =>
  Object.keys(store.dump()).filter((key) => key.includes('/ipam/v2/host/node1/'));

t.test('a node with a container, then without', async (t) => {
  const { store, pair, cli } = await scene(t);
  const pool = await createNetwork(pair);
  const address = await request(pair, pool);
  await create(pair, endpointId('a'), address);
  const refused = await cli('node drain node1');
  t.equal(refused.status, 2);
  t.equal(refused.out, 'Node node1 gives out no addresses any more\n');
  t.match(refused.err, /1 addresses of node node1 are in use/);
  t.match(refused.err, address.replace(/\/.*/, ''));
  t.ok(tunnel(store), 'a host with containers keeps its tunnel');
  await t.rejects(request(pair, pool, '02:42:0a:14:00:02'), /node1 is drained/);
  await t.rejects(request(pair, pool, '02:42:0a:14:00:03', '10.20.1.1'), /drain --undo node1/);

  await pair.network.call('NetworkDriver.DeleteEndpoint', {
    NetworkID: 'a'.repeat(64),
    EndpointID: endpointId('a'),
  });
  t.match((await cli('node drain node1')).err, 'in use', 'the address is not given back yet');
  await pair.ipam.call('IpamDriver.ReleaseAddress', {
    PoolID: pool,
    Address: address.replace(/\/.*/, ''),
  });
  const done = await cli('node drain node1');
  t.equal(done.status, 0, done.err);
  t.match(done.out, /Node node1 is empty: 1 blocks are released/);
  t.match(done.out, /Stop calico-libnetwork there/);
  t.equal(tunnel(store), undefined);
  t.same(claims(store), [], 'no block is its own');
  t.equal(takenAddresses(store.dump()).size, 0, 'no address is taken');
  t.equal((await cli('node drain node1')).status, 0, 'again');

  const undone = await cli('node drain node1 --undo');
  t.equal(undone.out, 'Node node1 is not drained any more\n');
  await until(() => tunnel(store) !== undefined, 'the tunnel address again');
  t.ok(await request(pair, pool), 'addresses again');
});

t.test('a claim that is under way when the node is marked loses', async (t) => {
  const { store, pair } = await scene(t);
  const pool = await createNetwork(pair);
  const node = JSON.parse(nodeText(store)) as { metadata: { annotations?: object } };
  node.metadata.annotations = { 'calico-libnetwork/drain': 'started' };
  // The commit finds another Node than it was decided from.
  const { commit } = store;
  let marked = false;
  store.commit = (transaction, options) => {
    if (!marked) store.put(resourceKey('nodes', 'node1'), JSON.stringify(node));
    marked = true;
    return commit.call(store, transaction, options);
  };
  await t.rejects(request(pair, pool), /node1 is drained/);
  t.equal(takenAddresses(store.dump()).size, 1, 'its tunnel’s alone');
});

t.test('the last route reflector', async (t) => {
  const { store, cli } = await scene(t);
  const key = resourceKey('nodes', 'node1');
  store.put(key, updateNode(nodeText(store), { routeReflectorClusterId: '1.0.0.1' }));
  const refused = await cli('node drain node1');
  t.equal(refused.status, 1);
  t.match(refused.err, /node1 is the only route reflector.*--force/);
  t.equal((await cli('node drain node1 --force')).status, 0);
});

t.test('what is asked for wrongly', async (t) => {
  const { cli } = await scene(t);
  t.match((await cli('node drain nobody')).err, /does not exist/);
  t.match((await cli('node drain node1 --wait long')).err, /--wait is a number of seconds/);
});
