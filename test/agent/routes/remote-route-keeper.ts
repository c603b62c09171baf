import t from 'tap';
import { ClusterRoutes, RemoteRouteKeeper } from '../../../src/agent/routes/index.js';
import { silentLog } from '../../../src/base/index.js';
import { Address, Cidr } from '../../../src/model/index.js';
import {
  createMemoryNetlink,
  ROUTE_PROTOCOL,
  type MemoryNetlink,
  type Route,
} from '../../../src/netlink/index.js';
import { routeNode, routePool, tell } from '../../fixtures/route-cluster.js';

const WRITES = ['addRoute', 'replaceRoute', 'deleteRoute'];

interface Scene {
  readonly netlink: MemoryNetlink;
  readonly routes: ClusterRoutes;
  readonly keeper: RemoteRouteKeeper;
  readonly local: Set<string>;
  readonly vxlan: number;
  readonly eth0: number;
}

function scene(): Scene {
  const netlink = createMemoryNetlink();
  const eth0 = netlink.addLink({ name: 'eth0', up: true }).index;
  const vxlan = netlink.addLink({ name: 'vxlan.calico', kind: 'vxlan', up: true }).index;
  const routes = new ClusterRoutes({ nodeName: 'node1' });
  const local = new Set<string>();
  const keeper = new RemoteRouteKeeper({
    ...{ netlink, routes, log: silentLog },
    isLocal: (address) => local.has(String(address)),
  });
  keeper.setDevices({ uplinks: { 4: eth0 }, tunnels: { vxlan4: vxlan } });
  routes.setPools([routePool('10.1.0.0/16', { vxlanMode: 'CrossSubnet' })]);
  tell(routes, [
    { node: routeNode('node1', '192.0.2.1/24') },
    { node: routeNode('node2', '192.0.2.2/24') },
    { node: routeNode('node3', '198.51.100.3/24', { ipv4VxlanTunnelAddress: '10.1.0.128' }) },
    { block: '10.1.0.0/26', of: 'node1' },
    { block: '10.1.0.64/26', of: 'node2' },
    { block: '10.1.0.128/26', of: 'node3' },
  ]);
  return { netlink, routes, keeper, local, vxlan, eth0 };
}

async function listed({ netlink, vxlan, eth0 }: Scene): Promise<string[]> {
  const names = new Map([
    [vxlan, 'vxlan'],
    [eth0, 'eth0'],
  ]);
  return (await netlink.routes(4))
    .map(({ destination, type, gateway, interfaceIndex = 0, protocol }) =>
      [destination, type, gateway ?? '-', names.get(interfaceIndex) ?? '-', protocol].join(' '),
    )
    .sort();
}
const EXPECTED = [
  '10.1.0.0/26 blackhole - - 80',
  '10.1.0.128/26 unicast 10.1.0.128 vxlan 80',
  '10.1.0.64/26 unicast 192.0.2.2 eth0 80',
];
const writesOf = ({ netlink }: Scene, from = 0): readonly string[] =>
  netlink.calls.slice(from).filter((call) => WRITES.includes(call));

t.test('routes are set once', async (t) => {
  const parts = scene();
  await parts.keeper.apply(true);
  t.same(await listed(parts), EXPECTED);
  t.equal(writesOf(parts).length, 3);
  await parts.keeper.compare(true);
  t.equal(writesOf(parts).length, 3, 'a comparison writes nothing');
  t.same(parts.keeper.problems, []);
});

t.test('leftovers go, but not before everything is known; strangers stay', async (t) => {
  const parts = scene();
  const { netlink, keeper, vxlan, eth0 } = parts;
  const route = (destination: string, more: Partial<Route>): Route => ({
    ...{ destination: Cidr.parse(destination), type: 'unicast', protocol: ROUTE_PROTOCOL },
    ...{ scope: 'universe', ...more },
  });
  const gateway = Address.parse('192.0.2.9');
  await netlink.addRoute(route('10.9.0.0/26', { interfaceIndex: eth0, gateway }));
  await netlink.addRoute(route('10.9.1.0/26', { type: 'blackhole' }));
  // Felix's own mark on tunnel routes is nobody's (peers-measured §2).
  await netlink.addRoute(route('10.9.2.0/26', { interfaceIndex: vxlan, gateway, protocol: 3 }));
  await netlink.addRoute(route('10.8.0.0/26', { interfaceIndex: eth0, gateway, protocol: 4 }));
  await netlink.addRoute(route('10.8.1.0/26', { type: 'blackhole', protocol: 186 }));
  await netlink.addRoute(route('10.1.0.77/32', { interfaceIndex: eth0, scope: 'link' }));
  await keeper.apply(false);
  t.equal((await netlink.routes(4)).length, 9, 'nothing is deleted yet');
  await keeper.compare(true);
  t.same(await listed(parts), [
    '10.1.0.0/26 blackhole - - 80',
    '10.1.0.128/26 unicast 10.1.0.128 vxlan 80',
    '10.1.0.64/26 unicast 192.0.2.2 eth0 80',
    '10.1.0.77/32 unicast - eth0 80',
    '10.8.0.0/26 unicast 192.0.2.9 eth0 4',
    '10.8.1.0/26 blackhole - - 186',
  ]);
});

t.test('a stranger’s route in our way is told, left, and ours follows it', async (t) => {
  const parts = scene();
  const { netlink, keeper, eth0 } = parts;
  await netlink.addRoute({
    ...{ destination: Cidr.parse('10.1.0.128/26'), type: 'unicast', protocol: 4 },
    ...{ scope: 'universe', interfaceIndex: eth0, gateway: Address.parse('192.0.2.254') },
  });
  await keeper.apply(true);
  t.match(keeper.problems, [
    { destination: '10.1.0.128/26', reason: 'foreign-route', words: /protocol 4.*192\.0\.2\.254/ },
  ]);
  netlink.removeRoute('10.1.0.128/26');
  const [gone] = [{ destination: Cidr.parse('10.1.0.128/26'), protocol: 4 }];
  const told = keeper.onEvent({
    ...{ type: 'route', removed: true },
    route: { ...gone, type: 'unicast', scope: 'universe', interfaceIndex: eth0 },
  });
  t.ok(told);
  await keeper.apply(true);
  t.same(await listed(parts), EXPECTED);
  t.same(keeper.problems, []);
});

t.test('a local endpoint goes before any route to another host', async (t) => {
  const parts = scene();
  const { routes, keeper, local } = parts;
  tell(routes, [{ endpoint: 'e', of: 'node3', addresses: ['10.1.0.70'] }]);
  await keeper.apply(true);
  t.ok((await listed(parts)).some((line) => line.startsWith('10.1.0.70/32')));
  local.add('10.1.0.70');
  routes.touch(Address.parse('10.1.0.70'));
  await keeper.apply(true);
  t.same(await listed(parts), EXPECTED);
  local.clear();
  routes.touch(Address.parse('10.1.0.70'));
  await keeper.apply(true);
  t.ok((await listed(parts)).some((line) => line.startsWith('10.1.0.70/32')));
});

t.test('a device that went and came back has its routes again', async (t) => {
  const parts = scene();
  const { netlink, keeper, eth0 } = parts;
  await keeper.apply(true);
  netlink.removeLink('vxlan.calico');
  keeper.setDevices({ uplinks: { 4: eth0 }, tunnels: {} });
  await keeper.apply(true);
  t.match(keeper.problems, [{ destination: '10.1.0.128/26', reason: 'device-missing' }]);
  const made = netlink.addLink({ name: 'vxlan.calico', kind: 'vxlan', up: true }).index;
  keeper.setDevices({ uplinks: { 4: eth0 }, tunnels: { vxlan4: made } });
  await keeper.apply(true);
  t.same(await listed({ ...parts, vxlan: made }), EXPECTED);
});

t.test('an interface that is down is no failure, and its routes come with it', async (t) => {
  const parts = scene();
  const { netlink, keeper, eth0 } = parts;
  await keeper.apply(true);
  await netlink.setLink(eth0, { up: false });
  const down = { index: eth0, name: 'eth0', kind: 'dummy', mac: '', mtu: 1500, running: false };
  t.ok(keeper.onEvent({ type: 'link', removed: false, link: { ...down, up: false, group: 0 } }));
  await keeper.apply(true);
  t.match(keeper.problems, [{ destination: '10.1.0.64/26', reason: 'device-missing' }]);
  await netlink.setLink(eth0, { up: true });
  t.ok(keeper.onEvent({ type: 'link', removed: false, link: { ...down, up: true, group: 0 } }));
  await keeper.apply(true);
  t.same(await listed(parts), EXPECTED);
});
