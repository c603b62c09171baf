import t from 'tap';
import { ClusterRoutes } from '../../../src/agent/routes/index.js';
import type { IpPool } from '../../../src/model/index.js';
import { changesOf, routeNode, routePool, tell, type Fact } from '../../fixtures/route-cluster.js';

const NODE1 = routeNode('node1', '192.0.2.1/24', {
  ipv6Address: '2001:db8::1/64',
  ipv4VxlanTunnelAddress: '10.1.0.0',
});
const NODE2 = routeNode('node2', '192.0.2.2/24', {
  ipv6Address: '2001:db8::2/64',
  ipv4VxlanTunnelAddress: '10.1.0.64',
  ipv6VxlanTunnelAddress: 'fd00::40',
  ipv4IpipTunnelAddress: '10.2.0.64',
});
const NODE3 = routeNode('node3', '198.51.100.3/24', {
  ipv6Address: '2001:db8:1::3/64',
  ipv4VxlanTunnelAddress: '10.1.0.128',
  ipv6VxlanTunnelAddress: 'fd00::80',
  ipv4IpipTunnelAddress: '10.2.0.128',
});

function cluster(pools: readonly IpPool[], facts: readonly Fact[], plain = false): ClusterRoutes {
  const routes = new ClusterRoutes({ nodeName: 'node1' });
  routes.setPlainRoutes(plain);
  routes.setPools(pools);
  tell(routes, facts);
  return routes;
}

const NODES: readonly Fact[] = [{ node: NODE1 }, { node: NODE2 }, { node: NODE3 }];
const blocks = (base: string): readonly Fact[] => [
  { block: `${base}.0/26`, of: 'node1' },
  { block: `${base}.64/26`, of: 'node2' },
  { block: `${base}.128/26`, of: 'node3' },
];

t.test('each mode, on the same and on another subnet', async (t) => {
  const modes: readonly (readonly [string, object, boolean, readonly string[]])[] = [
    [
      'VXLAN',
      { vxlanMode: 'Always' },
      false,
      ['10.1.0.0/26 blackhole', '10.1.0.128/26 vxlan4 10.1.0.128', '10.1.0.64/26 vxlan4 10.1.0.64'],
    ],
    [
      'VXLAN across subnets',
      { vxlanMode: 'CrossSubnet' },
      false,
      ['10.1.0.0/26 blackhole', '10.1.0.128/26 vxlan4 10.1.0.128', '10.1.0.64/26 direct 192.0.2.2'],
    ],
    [
      'IPIP',
      { ipipMode: 'Always' },
      false,
      ['10.1.0.0/26 blackhole', '10.1.0.128/26 ipip 198.51.100.3', '10.1.0.64/26 ipip 192.0.2.2'],
    ],
    [
      'IPIP across subnets',
      { ipipMode: 'CrossSubnet' },
      false,
      ['10.1.0.0/26 blackhole', '10.1.0.128/26 ipip 198.51.100.3', '10.1.0.64/26 direct 192.0.2.2'],
    ],
    ["plain, BIRD's", {}, false, ['10.1.0.0/26 none', '10.1.0.128/26 none', '10.1.0.64/26 none']],
    [
      "plain, the agent's",
      {},
      true,
      ['10.1.0.0/26 blackhole', '10.1.0.128/26 none other-subnet', '10.1.0.64/26 direct 192.0.2.2'],
    ],
  ];
  for (const [name, spec, plain, expected] of modes) {
    const routes = cluster(
      [routePool('10.1.0.0/16', spec)],
      [...NODES, ...blocks('10.1.0')],
      plain,
    );
    t.same(
      changesOf(routes).filter((line) => line.includes('/26 ')),
      expected,
      name,
    );
  }
});

t.test('IPv6', async (t) => {
  const pool = routePool('fd00::/48', { vxlanMode: 'CrossSubnet' });
  const routes = cluster(
    [pool],
    [
      ...NODES,
      { block: 'fd00::/122', of: 'node1' },
      { block: 'fd00::40/122', of: 'node2' },
      { block: 'fd00::80/122', of: 'node3' },
    ],
  );
  t.same(
    changesOf(routes).filter((line) => line.includes('/122')),
    ['fd00::/122 blackhole', 'fd00::40/122 direct 2001:db8::2', 'fd00::80/122 vxlan6 fd00::80'],
  );
});

t.test('a pool that contains hosts cuts none of them off', async (t) => {
  const pool = routePool('192.0.0.0/16', { vxlanMode: 'Always' });
  const tunnel = { ipv4VxlanTunnelAddress: '192.0.9.64' };
  const facts = [
    { node: routeNode('node1', '192.0.2.1/24') },
    { node: routeNode('node2', '192.0.2.66/24', tunnel) },
    { block: '192.0.2.0/26', of: 'node1' },
    { block: '192.0.2.64/26', of: 'node2' },
    { block: '192.0.9.64/26', of: 'node2' },
    { endpoint: 'e', of: 'node2', addresses: ['192.0.2.1'] },
  ];
  const routes = cluster([pool], facts);
  t.same(changesOf(routes), [
    '192.0.2.0/26 none covers-host',
    '192.0.2.1/32 none covers-host',
    '192.0.2.64/26 none covers-host',
    '192.0.9.64/26 vxlan4 192.0.9.64',
    '192.0.9.64/32 none',
  ]);
  tell(routes, [{ node: routeNode('node2', '198.51.100.2/24', tunnel) }]);
  t.ok(changesOf(routes).includes('192.0.2.64/26 vxlan4 192.0.9.64'), 'the host has moved away');
});

t.test('what is not known yet', async (t) => {
  const pool = routePool('10.1.0.0/16', { vxlanMode: 'Always' });
  const routes = cluster([pool], blocks('10.1.0'));
  t.same(changesOf(routes), [
    '10.1.0.0/26 blackhole',
    '10.1.0.128/26 none node-missing',
    '10.1.0.64/26 none node-missing',
  ]);
  const { ipv4VxlanTunnelAddress: _later, ...early } = NODE2;
  tell(routes, [{ node: early }, { node: { ...NODE3, ipv4Address: 'nonsense' } }]);
  t.same(
    changesOf(routes).filter((line) => line.includes('/26')),
    ['10.1.0.128/26 none node-without-address', '10.1.0.64/26 none node-without-address'],
  );
  tell(routes, [{ node: NODE1 }]);
  t.ok(changesOf(routes).includes('10.1.0.64/26 none no-tunnel-address'));
  tell(routes, [{ node: NODE2 }]);
  t.same(
    changesOf(routes),
    ['10.1.0.64/26 vxlan4 10.1.0.64', '10.2.0.64/32 none', 'fd00::40/128 none'],
    'only what leads to that host',
  );
});

t.test('only a confirmed claim counts', async (t) => {
  const pool = routePool('10.1.0.0/16', { vxlanMode: 'Always' });
  const routes = cluster(
    [pool],
    [...NODES, { block: '10.1.0.64/26', of: 'node2', confirmed: false }],
  );
  t.notOk(changesOf(routes).some((line) => line.includes('/26')));
  tell(routes, [{ block: '10.1.0.64/26', of: 'node2' }]);
  t.ok(changesOf(routes).includes('10.1.0.64/26 vxlan4 10.1.0.64'));
  tell(routes, [
    { block: '10.1.0.64/26', of: 'node3' },
    { block: '10.1.0.64/26', of: 'node2', confirmed: false },
  ]);
  t.ok(changesOf(routes).includes('10.1.0.64/26 vxlan4 10.1.0.128'), 'the block moved');
  tell(routes, [{ block: '10.1.0.64/26', of: 'node3', confirmed: false }]);
  t.ok(changesOf(routes).includes('10.1.0.64/26 none'));
});

t.test('borrowed addresses have routes of their own', async (t) => {
  const pool = routePool('10.1.0.0/16', { vxlanMode: 'Always' });
  const routes = cluster([pool], [...NODES, ...blocks('10.1.0')]);
  changesOf(routes);
  tell(routes, [{ endpoint: 'own', of: 'node2', addresses: ['10.1.0.70'] }]);
  t.same(changesOf(routes), [], 'an address of its own block has none');
  tell(routes, [{ endpoint: 'borrowed', of: 'node3', addresses: ['10.1.0.71', '10.1.0.5'] }]);
  t.same(changesOf(routes), ['10.1.0.5/32 vxlan4 10.1.0.128', '10.1.0.71/32 vxlan4 10.1.0.128']);
  tell(routes, [{ endpoint: 'here', of: 'node1', addresses: ['10.1.0.72'] }]);
  t.same(changesOf(routes), ['10.1.0.72/32 none'], 'what is here is the endpoint’s own route');
  tell(routes, [{ endpoint: 'moved', of: 'node2', addresses: ['10.1.0.5'], rank: 2n }]);
  t.same(changesOf(routes), ['10.1.0.5/32 vxlan4 10.1.0.64'], 'the later object is right');
  tell(routes, [{ endpoint: 'late', of: 'node3', addresses: ['10.1.0.5'], rank: 1n }]);
  t.same(changesOf(routes), [], 'an older one changes nothing');
  tell(routes, [{ block: '10.1.0.64/26', of: 'node2', confirmed: false }]);
  t.ok(changesOf(routes).includes('10.1.0.70/32 vxlan4 10.1.0.64'), 'its block has no owner now');
});

t.test('a tunnel address outside the blocks of its host', async (t) => {
  const pool = routePool('10.1.0.0/16', { vxlanMode: 'Always' });
  const borrowed = { ...NODE3, ipv4VxlanTunnelAddress: '10.1.0.65' };
  const routes = cluster([pool], [{ node: NODE1 }, { node: borrowed }, ...blocks('10.1.0')]);
  t.ok(changesOf(routes).includes('10.1.0.65/32 vxlan4 10.1.0.65'));
});

t.test('blocks of one address', async (t) => {
  const pool = routePool('10.1.0.0/16', { vxlanMode: 'Always', blockSize: 32 });
  const routes = cluster(
    [pool],
    [...NODES, { block: '10.1.0.1/32', of: 'node1' }, { block: '10.1.0.65/32', of: 'node2' }],
  );
  const lines = changesOf(routes);
  t.ok(lines.includes('10.1.0.1/32 none'), 'no blackhole: it would hide the container');
  t.ok(lines.includes('10.1.0.65/32 vxlan4 10.1.0.64'));
});

t.test('blocks outside every pool, and pools that come and change', async (t) => {
  const routes = cluster([], [...NODES, ...blocks('10.1.0')]);
  t.notOk(changesOf(routes).some((line) => !line.endsWith('none')));
  routes.setPools([routePool('10.1.0.0/16', { vxlanMode: 'Always', disabled: true })]);
  t.ok(changesOf(routes).includes('10.1.0.64/26 vxlan4 10.1.0.64'), 'a disabled pool counts');
  routes.setPools([routePool('10.1.0.0/16', { ipipMode: 'Always' })]);
  t.ok(changesOf(routes).includes('10.1.0.64/26 ipip 192.0.2.2'));
});

t.test('the order of what is told makes no difference', async (t) => {
  const pools = [
    routePool('10.1.0.0/16', { vxlanMode: 'CrossSubnet' }),
    routePool('10.2.0.0/16', { ipipMode: 'Always', blockSize: 28 }),
  ];
  const facts: readonly Fact[] = [
    ...NODES,
    ...blocks('10.1.0'),
    { block: '10.2.0.64/28', of: 'node2' },
    { block: '10.2.0.0/28', of: 'node3' },
    { endpoint: 'a', of: 'node2', addresses: ['10.1.0.130', '10.2.0.1'], rank: 3n },
    { endpoint: 'b', of: 'node3', addresses: ['10.1.0.130', '10.2.0.2'], rank: 2n },
    { endpoint: 'c', of: 'node1', addresses: ['10.2.0.3'] },
  ];
  const routesOf = (order: readonly Fact[]): string[] => {
    const routes = new ClusterRoutes({ nodeName: 'node1' });
    routes.setPools(pools);
    const known = new Map<string, string>();
    for (const fact of order) {
      tell(routes, [fact]);
      // What is taken between makes no difference either.
      if (order.indexOf(fact) % 3 === 0) take(routes, known);
    }
    take(routes, known);
    return [...known]
      .filter(([, what]) => what !== 'none')
      .map((pair) => pair.join(' '))
      .sort();
  };
  const expected = routesOf(facts);
  t.same(expected, [
    '10.1.0.0/26 blackhole',
    '10.1.0.128/26 vxlan4 10.1.0.128',
    '10.1.0.130/32 direct 192.0.2.2',
    '10.1.0.64/26 direct 192.0.2.2',
    '10.2.0.0/28 ipip 198.51.100.3',
    '10.2.0.1/32 ipip 192.0.2.2',
    '10.2.0.128/32 ipip 198.51.100.3',
    '10.2.0.64/28 ipip 192.0.2.2',
  ]);
  let seed = 7;
  const random = (): number => (seed = (seed * 48_271) % 2_147_483_647);
  for (let round = 0; round < 200; round += 1) {
    const shuffled = facts
      .map((fact) => ({ fact, at: random() }))
      .sort((one, other) => one.at - other.at)
      .map(({ fact }) => fact);
    const found = routesOf(shuffled);
    if (JSON.stringify(found) === JSON.stringify(expected)) continue;
    t.same(found, expected, JSON.stringify(shuffled));
    return;
  }
});

function take(routes: ClusterRoutes, known: Map<string, string>): void {
  for (const line of changesOf(routes)) {
    const [destination = '', ...rest] = line.split(' ');
    known.set(destination, rest.join(' '));
  }
}
