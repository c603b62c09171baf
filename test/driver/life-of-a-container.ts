import t from 'tap';
import { createFaultyStore } from '../fixtures/faulty-store.js';
import { createMemoryStore } from '../fixtures/memory-store.js';
import { startPluginPair, type PluginPair } from '../fixtures/plugin-pair.js';
import { clusterOf, takenAddresses } from '../fixtures/stored-objects.js';
import { until } from '../fixtures/until.js';

const NETWORK = 'a'.repeat(64);
const MAC = '02:42:0a:14:00:01';
const endpointId = (letter: string): string => letter.repeat(64);

interface Started {
  readonly address: string;
  readonly poolId: string;
  readonly join: Record<string, unknown>;
}

async function createNetwork(pair: PluginPair, subnet = '10.20.0.0/16'): Promise<string> {
  const pool = await pair.ipam.call('IpamDriver.RequestPool', {
    AddressSpace: 'CalicoLocalAddressSpace',
    Pool: subnet,
    SubPool: '',
    Options: null,
    V6: false,
  });
  await pair.network.call('NetworkDriver.CreateNetwork', {
    NetworkID: NETWORK,
    Options: { 'com.docker.network.enable_ipv6': false, 'com.docker.network.generic': {} },
    IPv4Data: [
      { AddressSpace: 'CalicoLocalAddressSpace', Pool: pool['Pool'], Gateway: '169.254.1.1/32' },
    ],
    IPv6Data: [],
  });
  return String(pool['PoolID']);
}

async function start(
  pair: PluginPair,
  poolId: string,
  id: string,
  sandbox = '/var/run/docker/netns/1',
): Promise<Started> {
  const granted = await pair.ipam.call('IpamDriver.RequestAddress', {
    PoolID: poolId,
    Address: '',
    Options: { 'com.docker.network.endpoint.macaddress': MAC },
  });
  const address = String(granted['Address']);
  await pair.network.call('NetworkDriver.CreateEndpoint', {
    NetworkID: NETWORK,
    EndpointID: id,
    Interface: { Address: address, AddressIPv6: '', MacAddress: MAC },
    Options: { 'com.docker.network.endpoint.exposedports': [], 'com.docker.network.portmap': [] },
  });
  const join = await pair.network.call('NetworkDriver.Join', {
    NetworkID: NETWORK,
    EndpointID: id,
    SandboxKey: sandbox,
    Options: {},
  });
  await pair.network.call('NetworkDriver.EndpointOperInfo', { NetworkID: NETWORK, EndpointID: id });
  return { address, poolId, join };
}

async function stop(pair: PluginPair, id: string, { address, poolId }: Started): Promise<void> {
  const ids = { NetworkID: NETWORK, EndpointID: id };
  await pair.network.call('NetworkDriver.RevokeExternalConnectivity', ids);
  await pair.network.call('NetworkDriver.Leave', ids);
  await pair.network.call('NetworkDriver.DeleteEndpoint', ids);
  await pair.ipam.call('IpamDriver.ReleaseAddress', {
    PoolID: poolId,
    Address: address.split('/')[0],
  });
}

t.test(
  'a start costs two round trips and a stop two, without reads in the steady state',
  async (t) => {
    const memory = createMemoryStore({ entries: clusterOf(['node1'], { pool1: '10.20.0.0/16' }) });
    const store = createFaultyStore(memory);
    const pair = await startPluginPair({ store, names: { [NETWORK]: 'net1' } });
    t.teardown(() => pair.stop());
    const poolId = await createNetwork(pair);
    const first = await start(pair, poolId, endpointId('1'));
    store.reset();
    const second = await start(pair, poolId, endpointId('2'));
    t.same(
      store.calls.map(({ operation }) => operation),
      ['commit', 'commit'],
      'a start is two commits',
    );
    store.reset();
    await stop(pair, endpointId('2'), second);
    t.same(
      store.calls.map(({ operation }) => operation),
      ['commit', 'commit'],
      'a stop is two commits',
    );
    await stop(pair, endpointId('1'), first);
  },
);

t.test(
  'what a start leaves in the store and in the kernel, and that a stop takes it all away',
  async (t) => {
    const memory = createMemoryStore({ entries: clusterOf(['node1'], { pool1: '10.20.0.0/16' }) });
    const pair = await startPluginPair({ store: memory, names: { [NETWORK]: 'net1' } });
    t.teardown(() => pair.stop());
    const before = Object.keys(memory.dump());
    const poolId = await createNetwork(pair);
    const id = endpointId('b');
    const started = await start(pair, poolId, id);
    const stored = memory.dump();
    const endpoint = JSON.parse(
      stored[
        `/calico/resources/v3/projectcalico.org/workloadendpoints/default/node1-libnetwork-libnetwork-${id}`
      ] ?? '{}',
    );
    t.match(endpoint.spec, {
      node: 'node1',
      endpoint: id,
      ipNetworks: [started.address],
      mac: MAC,
      interfaceName: 'calibbbbbbbbbbb',
      profiles: ['net1'],
    });
    const profile = JSON.parse(
      stored['/calico/resources/v3/projectcalico.org/profiles/net1'] ?? '{}',
    );
    t.same(profile.spec.labelsToApply, { net1: '' });
    const [holder] = takenAddresses(stored).values();
    t.match(holder, {
      handle_id: /^docker\.node1\.[0-9a-f]{32}$/,
      secondary: { node: 'node1', mac: MAC },
    });
    t.match(started.join, {
      InterfaceName: { SrcName: 'tempbbbbbbbbbbb', DstPrefix: 'cali' },
      Gateway: '169.254.1.1',
      StaticRoutes: [
        { Destination: '169.254.1.1/32', RouteType: 1 },
        { Destination: '10.20.0.0/16', RouteType: 0, NextHop: '169.254.1.1' },
      ],
    });
    t.ok(await pair.netlink.linkByName('calibbbbbbbbbbb'), 'the pair exists');
    t.ok(pair.programmed.has(id), 'the agent was asked before Join answered');
    await stop(pair, id, started);
    await until(
      async () => (await pair.netlink.linkByName('calibbbbbbbbbbb')) === undefined,
      'the pair to go',
    );
    t.equal(takenAddresses(memory.dump()).size, 0, 'no address is taken');
    t.notOk(pair.programmed.has(id));
    await pair.core.driver.networks.rename(NETWORK, 'net1', {});
    await pair.ipam.call('IpamDriver.ReleasePool', { PoolID: poolId });
    await pair.network.call('NetworkDriver.DeleteNetwork', { NetworkID: NETWORK });
    const left = Object.keys(memory.dump()).filter((key) => !before.includes(key));
    t.ok(
      left.every((key) => key.startsWith('/calico/ipam/v2/')),
      `only this host's empty block stays: ${left.join(' ')}`,
    );
  },
);

t.test('every call may be repeated, come in any order, or name something unknown', async (t) => {
  const memory = createMemoryStore({ entries: clusterOf(['node1'], { pool1: '10.20.0.0/16' }) });
  const pair = await startPluginPair({ store: memory, names: { [NETWORK]: 'net1' } });
  t.teardown(() => pair.stop());
  const ids = { NetworkID: NETWORK, EndpointID: endpointId('c') };
  for (const method of [
    'RevokeExternalConnectivity',
    'Leave',
    'DeleteEndpoint',
    'EndpointOperInfo',
  ]) {
    await t.resolves(
      pair.network.call(`NetworkDriver.${method}`, ids),
      `${method} of an unknown endpoint succeeds`,
    );
  }
  await t.resolves(pair.network.call('NetworkDriver.DeleteNetwork', { NetworkID: NETWORK }));
  await t.resolves(
    pair.ipam.call('IpamDriver.ReleaseAddress', { PoolID: 'x', Address: '10.20.0.9' }),
  );
  await t.resolves(pair.ipam.call('IpamDriver.ReleasePool', { PoolID: 'x' }));
  await t.rejects(
    pair.network.call('NetworkDriver.Join', { ...ids, SandboxKey: '/x', Options: {} }),
    /start the container again/,
  );
  await t.rejects(
    pair.network.call('NetworkDriver.CreateEndpoint', {
      ...ids,
      Interface: { Address: '10.20.0.9/32' },
      Options: {},
    }),
    /is not known to calico/,
  );
  const poolId = await createNetwork(pair);
  await createNetwork(pair);
  const id = endpointId('c');
  const started = await start(pair, poolId, id);
  const body = {
    NetworkID: NETWORK,
    EndpointID: id,
    Interface: { Address: started.address, MacAddress: MAC },
    Options: {},
  };
  await t.resolves(pair.network.call('NetworkDriver.CreateEndpoint', body), 'CreateEndpoint again');
  const again = await pair.network.call('NetworkDriver.Join', {
    ...ids,
    SandboxKey: '/var/run/docker/netns/1',
    Options: {},
  });
  t.same(again, started.join, 'Join again answers the same');
  await stop(pair, id, started);
  await stop(pair, id, started);
  t.equal(takenAddresses(memory.dump()).size, 0);
});

t.test('a start that fails leaves nothing', async (t) => {
  const memory = createMemoryStore({ entries: clusterOf(['node1'], { pool1: '10.20.0.0/16' }) });
  const store = createFaultyStore(memory);
  const pair = await startPluginPair({ store, names: { [NETWORK]: 'net1' } });
  t.teardown(() => pair.stop());
  const poolId = await createNetwork(pair);
  const id = endpointId('d');
  const granted = await pair.ipam.call('IpamDriver.RequestAddress', {
    PoolID: poolId,
    Address: '',
    Options: { 'com.docker.network.endpoint.macaddress': MAC },
  });
  store.failBefore('commit');
  await t.rejects(
    pair.network.call('NetworkDriver.CreateEndpoint', {
      NetworkID: NETWORK,
      EndpointID: id,
      Interface: { Address: granted['Address'], MacAddress: MAC },
      Options: {},
    }),
  );
  await until(
    async () => (await pair.netlink.links()).every(({ name }) => !name.startsWith('cali')),
    'the pair to go',
  );
  await pair.ipam.call('IpamDriver.ReleaseAddress', {
    PoolID: poolId,
    Address: String(granted['Address']).split('/')[0],
  });
  t.equal(takenAddresses(memory.dump()).size, 0);
  t.notOk(Object.keys(memory.dump()).some((key) => key.includes('workloadendpoints')));
});

t.test('replies that are lost after the commit change nothing for Docker', async (t) => {
  const memory = createMemoryStore({ entries: clusterOf(['node1'], { pool1: '10.20.0.0/16' }) });
  const store = createFaultyStore(memory);
  const pair = await startPluginPair({ store, names: { [NETWORK]: 'net1' } });
  t.teardown(() => pair.stop());
  store.failAfterCommit();
  const poolId = await createNetwork(pair);
  store.failAfterCommit(2);
  const id = endpointId('e');
  const started = await start(pair, poolId, id);
  t.equal(takenAddresses(memory.dump()).size, 1, 'one address for one lost reply');
  store.failAfterCommit(2);
  await stop(pair, id, started);
  t.equal(takenAddresses(memory.dump()).size, 0);
  t.same(pair.pending, []);
});

t.test('deletions that the store does not take are written down and answered', async (t) => {
  const memory = createMemoryStore({ entries: clusterOf(['node1'], { pool1: '10.20.0.0/16' }) });
  const store = createFaultyStore(memory);
  const pair = await startPluginPair({ store, names: { [NETWORK]: 'net1' } });
  t.teardown(() => pair.stop());
  const poolId = await createNetwork(pair);
  const id = endpointId('f');
  const started = await start(pair, poolId, id);
  store.cutOff(true);
  await stop(pair, id, started);
  store.cutOff(false);
  t.same(
    pair.pending.map(({ kind }) => kind),
    ['delete-endpoint', 'release-address'],
  );
});

t.test('two networks on one container have gateways of their own', async (t) => {
  const memory = createMemoryStore({ entries: clusterOf(['node1'], { pool1: '10.20.0.0/16' }) });
  const pair = await startPluginPair({ store: memory, names: { [NETWORK]: 'net1' } });
  t.teardown(() => pair.stop());
  const poolId = await createNetwork(pair);
  const one = await start(pair, poolId, endpointId('1'), '/sandbox/a');
  const two = await start(pair, poolId, endpointId('2'), '/sandbox/a');
  const other = await start(pair, poolId, endpointId('3'), '/sandbox/b');
  t.equal(one.join['Gateway'], '169.254.1.1');
  t.equal(two.join['Gateway'], '169.254.1.2');
  t.equal(other.join['Gateway'], '169.254.1.1');
  t.equal(
    (two.join['StaticRoutes'] as unknown[]).length,
    1,
    'a subnet is routed once per container',
  );
});
