import t, { type Test } from 'tap';
import { handleKey, resourceKey } from '../../src/datastore/index.js';
import { Address } from '../../src/model/index.js';
import { createMemoryNetlink } from '../../src/netlink/index.js';
import { decodeNode, encodeNode, updateNode } from '../../src/model/v3/index.js';
import { createMemoryStore, type MemoryStore } from '../fixtures/memory-store.js';
import { startPluginPair, type PluginPair } from '../fixtures/plugin-pair.js';
import { clusterOf, poolText, takenAddresses } from '../fixtures/stored-objects.js';
import { until } from '../fixtures/until.js';

const NODE = resourceKey('nodes', 'node1');
const identity = { uid: 'u', createdAt: new Date(0) };
const VXLAN = { cidr: '10.1.0.0/24', vxlanMode: 'Always' };

async function scene(
  t: Test,
  pools: Parameters<typeof clusterOf>[1],
): Promise<{ readonly store: MemoryStore; readonly pair: PluginPair }> {
  const store = createMemoryStore({ entries: clusterOf(['node1'], pools) });
  const pair = await startPluginPair({ store });
  t.teardown(() => pair.stop());
  pair.core.tunnels.start();
  return { store, pair };
}
const nodeOf = (store: MemoryStore): ReturnType<typeof decodeNode> =>
  decodeNode(store.dump()[NODE] ?? '');
const tunnel = (store: MemoryStore): string | undefined => nodeOf(store).ipv4VxlanTunnelAddress;
const known = (store: MemoryStore): Promise<void> =>
  until(() => tunnel(store) !== undefined, 'the address');

t.test('an address is taken as Calico does, once', async (t) => {
  const { store, pair } = await scene(t, { vx: VXLAN, plain: '10.9.0.0/24' });
  await known(store);
  const taken = takenAddresses(store.dump());
  t.equal(taken.size, 1);
  t.match([...taken.keys()][0], `${tunnel(store)}/26+0`, 'the first of its first block');
  t.match([...taken.values()][0], {
    handle_id: 'vxlan-tunnel-addr-node1',
    secondary: { node: 'node1', type: 'vxlanTunnelAddress' },
  });
  t.ok(store.dump()[handleKey('vxlan-tunnel-addr-node1')]);
  const before = store.dump();
  await pair.core.ipam.allocator.tunnels.reconcile(AbortSignal.timeout(5_000));
  t.same(store.dump(), before, 'a second look writes nothing');
});

t.test('pools come and go', async (t) => {
  const { store } = await scene(t, { plain: '10.9.0.0/24' });
  store.put(resourceKey('ippools', 'vx'), poolText('vx', '10.1.0.0/24', { vxlanMode: 'Always' }));
  await known(store);
  // Another pool takes over: the address moves, and the old one is free.
  store.put(resourceKey('ippools', 'wx'), poolText('wx', '10.2.0.0/24', { vxlanMode: 'Always' }));
  const closed = { vxlanMode: 'Always', disabled: true };
  store.put(resourceKey('ippools', 'vx'), poolText('vx', '10.1.0.0/24', closed));
  await until(() => tunnel(store)?.startsWith('10.2.0.') === true, 'an address of the other pool');
  t.equal(takenAddresses(store.dump()).size, 1);
  store.put(resourceKey('ippools', 'wx'), poolText('wx', '10.2.0.0/24', {}));
  await until(() => tunnel(store) === undefined, 'the Node to lose it');
  await until(() => takenAddresses(store.dump()).size === 0, 'IPAM to have it back');
  t.notOk(store.dump()[handleKey('vxlan-tunnel-addr-node1')]);
});

t.test('a Node that was made anew has its address again', async (t) => {
  const { store } = await scene(t, { vx: VXLAN });
  await known(store);
  const before = tunnel(store);
  store.put(NODE, encodeNode('node1', { ipv4Address: '192.0.2.1/24' }, identity));
  await known(store);
  t.equal(tunnel(store), before);
  t.equal(takenAddresses(store.dump()).size, 1, 'and no second one is taken');
});

t.test('what others wrote into the Node stays', async (t) => {
  const { store } = await scene(t, { vx: VXLAN });
  await known(store);
  const text = JSON.parse(store.dump()[NODE] ?? '') as { spec: object };
  const foreign = { ...text, spec: { ...text.spec, newerMember: { deep: 1 } } };
  store.put(NODE, updateNode(JSON.stringify(foreign), { ipv4VxlanTunnelAddress: null }));
  await known(store);
  t.match(JSON.parse(store.dump()[NODE] ?? ''), { spec: { newerMember: { deep: 1 } } });
});

t.test('each kind has its own, and both families', async (t) => {
  const { store } = await scene(t, {
    vx: VXLAN,
    v6: { cidr: 'fd00::/116', vxlanMode: 'CrossSubnet' },
    ipip: { cidr: '10.3.0.0/24', ipipMode: 'Always' },
  });
  await until(() => takenAddresses(store.dump()).size === 3, 'three addresses');
  await until(() => nodeOf(store).ipv4IpipTunnelAddress !== undefined, 'the last on the Node');
  const node = nodeOf(store);
  t.match(node.ipv4VxlanTunnelAddress, /^10\.1\.0\./);
  t.match(node.ipv6VxlanTunnelAddress, /^fd00::/);
  t.match(node.ipv4IpipTunnelAddress, /^10\.3\.0\./);
});

t.test('a datastore that lost the address of the device', async (t) => {
  const store = createMemoryStore({ entries: clusterOf(['node1'], { vx: VXLAN }) });
  const netlink = createMemoryNetlink();
  const traits = { id: 4096, port: 4789, linkIndex: 0, learning: false };
  const { index } = await netlink.createVxlan({
    ...{ ...traits, name: 'vxlan.calico', mac: '66:00:00:00:00:01', mtu: 1450 },
  });
  await netlink.addAddress(index, Address.parse('10.1.0.77'), 32);
  const pair = await startPluginPair({ store, netlink, exchanged: true });
  t.teardown(() => pair.stop());
  t.equal(tunnel(store), '10.1.0.77', 'it is the same before anything else is given out');
  t.match([...takenAddresses(store.dump()).values()], [{ handle_id: 'vxlan-tunnel-addr-node1' }]);
  const before = store.dump();
  await pair.core.ipam.allocator.tunnels.reconcile(AbortSignal.timeout(5_000));
  t.same(store.dump(), before, 'and stays');
});
