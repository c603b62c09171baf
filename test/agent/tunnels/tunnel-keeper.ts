import t from 'tap';
import { TunnelKeeper } from '../../../src/agent/tunnels/index.js';
import { silentLog } from '../../../src/base/index.js';
import { Address, type IpPool, type Node } from '../../../src/model/index.js';
import { createMemoryNetlink, type MemoryNetlink } from '../../../src/netlink/index.js';
import { pool } from '../../fixtures/agent-facts.js';
import { faultOf } from '../../fixtures/fault-of.js';

const NODE1: Node = {
  ...{ name: 'node1', labels: {}, ipv4Address: '192.0.2.1/24', ipv6Address: '2001:db8::1/64' },
  ...{ ipv4VxlanTunnelAddress: '10.1.0.0', ipv6VxlanTunnelAddress: 'fd00::' },
  ipv4IpipTunnelAddress: '10.2.0.0',
};
const NODE2: Node = {
  ...{ name: 'node2', labels: {}, ipv4Address: '192.0.2.2/24' },
  ...{ ipv4VxlanTunnelAddress: '10.1.0.64', ipv4IpipTunnelAddress: '10.2.0.64' },
};
const VXLAN = pool('10.1.0.0/24', { vxlanMode: 'Always' });
const IPIP = pool('10.2.0.0/24', { ipipMode: 'Always' });

async function scene(pools: readonly IpPool[]): Promise<{
  readonly netlink: MemoryNetlink;
  readonly keeper: TunnelKeeper;
}> {
  const netlink = createMemoryNetlink();
  const { index } = netlink.addLink({ name: 'eth0', up: true });
  await netlink.addAddress(index, Address.parse('192.0.2.1'), 24);
  await netlink.addAddress(index, Address.parse('2001:db8::1'), 64);
  const keeper = new TunnelKeeper({ nodeName: 'node1', netlink, log: silentLog });
  keeper.setPools(pools);
  keeper.setNode('node1', NODE1);
  keeper.setNode('node2', NODE2);
  netlink.monitor((event) => void keeper.onEvent(event));
  return { netlink, keeper };
}
const WRITES = /^(?:create|set|add[A-Z]|remove|delete|replace)/;
const writesSince = (netlink: MemoryNetlink, from: number): readonly string[] =>
  netlink.calls.slice(from).filter((call) => WRITES.test(call));
const addressesOf = async (netlink: MemoryNetlink, device: string): Promise<string[]> => {
  const link = await netlink.linkByName(device);
  const all = await netlink.addresses();
  return all
    .filter(({ index }) => index === link?.index)
    .map(({ address, prefix }) => `${address}/${prefix}`);
};

t.test('IPIP: the fallback device, its MTU and its only address', async (t) => {
  const { netlink, keeper } = await scene([IPIP]);
  await keeper.apply(true);
  t.match(await netlink.linkByName('tunl0'), { kind: 'ipip', mtu: 1480, up: true });
  t.same(await addressesOf(netlink, 'tunl0'), ['10.2.0.0/32']);
  t.equal(keeper.workloadMtu, 1480);
  t.same(keeper.problems, []);
  const before = netlink.calls.length;
  keeper.doubt();
  await keeper.apply(true);
  t.same(writesSince(netlink, before), [], 'a second look writes nothing');
  keeper.setNode('node1', { ...NODE1, ipv4IpipTunnelAddress: '10.2.0.9' });
  await keeper.apply(true);
  t.same(await addressesOf(netlink, 'tunl0'), ['10.2.0.9/32'], 'another address takes its place');
  keeper.setPools([VXLAN]);
  await keeper.apply(true);
  t.same(await addressesOf(netlink, 'tunl0'), [], 'without a pool it has none');
});

t.test('a kernel without IPIP is told, with the way out, and VXLAN works', async (t) => {
  const { netlink, keeper } = await scene([IPIP, VXLAN]);
  netlink.hasIpip = false;
  await keeper.apply(true);
  t.match(keeper.problems, [
    { device: 'tunl0', reason: 'kernel-unsupported', words: /load the module ipip.*vxlanMode/ },
  ]);
  t.match(await netlink.linkByName('vxlan.calico'), { mtu: 1450, mac: '66:f9:37:c3:7e:94' });
  t.equal(keeper.devices.tunnels.ipip, undefined);
});

t.test('another’s interface of the name is left', async (t) => {
  const { netlink, keeper } = await scene([VXLAN]);
  netlink.addLink({ name: 'vxlan.calico', kind: 'dummy' });
  await keeper.apply(true);
  t.match(keeper.problems, [{ reason: 'name-taken' }]);
  t.match(await netlink.linkByName('vxlan.calico'), { kind: 'dummy' });
});

t.test('a VNI or port of another is told and tried again', async (t) => {
  const { netlink, keeper } = await scene([VXLAN]);
  const traits = { id: 4096, port: 4789, local: Address.parse('192.0.2.1'), learning: true };
  netlink.addLink({ name: 'other', kind: 'vxlan', vxlan: { ...traits, linkIndex: 0 } });
  t.match(await faultOf(keeper.apply(true)), { kind: 'unavailable', reason: 'port-taken' });
  t.match(keeper.problems, [{ reason: 'port-taken', words: /vxlanPort in FelixConfiguration/ }]);
  keeper.setFelix({ vxlanPort: 8472 });
  await keeper.apply(true);
  t.same(keeper.problems, []);
  t.match((await netlink.linkByName('vxlan.calico'))?.vxlan, { port: 8472 });
});

t.test('what cannot be changed in place is made anew, with its entries', async (t) => {
  const { netlink, keeper } = await scene([VXLAN]);
  await keeper.apply(true);
  const before = await netlink.linkByName('vxlan.calico');
  keeper.setFelix({ vxlanVni: 7, vxlanMtu: 1400 });
  await keeper.apply(true);
  const after = await netlink.linkByName('vxlan.calico');
  t.not(after?.index, before?.index);
  t.match(after, { mtu: 1400, vxlan: { id: 7 } });
  const { neighbours, forwarding } = await netlink.tunnelEntries(after?.index ?? 0);
  t.same(
    neighbours.map(({ address, mac }) => `${address} ${mac}`),
    ['10.1.0.64 66:2d:bf:44:a6:8b'],
  );
  t.same(
    forwarding.map(({ mac, destination }) => `${mac} ${destination}`),
    ['66:2d:bf:44:a6:8b 192.0.2.2'],
  );
});

t.test('entries of nobody go, those of hosts that go too', async (t) => {
  const { netlink, keeper } = await scene([VXLAN]);
  await keeper.apply(true);
  const index = keeper.devices.tunnels.vxlan4 ?? 0;
  const stale = { index, mac: '66:00:00:00:00:09', destination: Address.parse('192.0.2.9') };
  await netlink.replaceForwarding(stale);
  keeper.doubt();
  await keeper.apply(true);
  t.equal((await netlink.tunnelEntries(index)).forwarding.length, 1);
  keeper.setNode('node2', undefined);
  await keeper.apply(true);
  const left = await netlink.tunnelEntries(index);
  t.same([left.forwarding.length, left.neighbours.length], [0, 0]);
});

t.test('two families have two devices', async (t) => {
  const { netlink, keeper } = await scene([VXLAN, pool('fd00::/48', { vxlanMode: 'Always' })]);
  await keeper.apply(true);
  t.match(await netlink.linkByName('vxlan-v6.calico'), { mtu: 1430, mac: '66:0f:35:f2:60:df' });
  t.same(await addressesOf(netlink, 'vxlan-v6.calico'), ['fd00::/128']);
  t.equal(keeper.workloadMtu, 1430);
  const removed = netlink.calls.length;
  keeper.setPools([]);
  await keeper.apply(false);
  t.same(writesSince(netlink, removed), [], 'nothing goes before everything is known');
  keeper.doubt();
  await keeper.apply(true);
  t.equal(await netlink.linkByName('vxlan.calico'), undefined);
  t.equal(keeper.workloadMtu, 1500);
});

t.test('a Node without the address that it needs', async (t) => {
  const { keeper } = await scene([VXLAN]);
  keeper.setNode('node1', { ...NODE1, ipv4Address: '192.0.2.77/24' });
  await keeper.apply(true);
  t.match(keeper.problems, [{ reason: 'address-not-on-host' }]);
  const { ipv4VxlanTunnelAddress: _none, ...early } = NODE1;
  keeper.setNode('node1', early);
  await keeper.apply(true);
  t.match(keeper.problems, [{ reason: 'no-tunnel-address' }]);
  keeper.setNode('node1', NODE1);
  await keeper.apply(true);
  t.same(keeper.problems, []);
});
