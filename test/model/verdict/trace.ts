import t from 'tap';
import {
  outerInterface,
  traceFlow,
  type FlowEnd,
  type World,
} from '../../../src/model/verdict/index.js';
import {
  addressOf,
  allow,
  packetOf,
  policy,
  verdictWorld,
  type HostName,
} from '../../fixtures/verdict-world.js';

const end = (world: World, name: HostName): FlowEnd => {
  const workload = world.workloads.find((each) => each.name === name);
  if (workload !== undefined) return { type: 'workload', workload };
  return name.startsWith('node') ? { type: 'host', node: name } : { type: 'outside' };
};

/** The places that decide, as `node:name:direction`, and the verdict. */
function trace(world: World, from: HostName, to: HostName): string[] {
  const packet = packetOf(4, from, to, 'tcp');
  const flow = { from: end(world, from), to: end(world, to), packet };
  const { verdict, decisions } = traceFlow(world, flow);
  const places = decisions.map(({ place }) => `${place.node}:${place.name}:${place.direction}`);
  return [...places, verdict];
}

t.test('the hosts that a flow passes', async (t) => {
  const world = verdictWorld();
  const cases: readonly [HostName, HostName, readonly string[]][] = [
    ['web', 'target', ['node1:default/web:Egress', 'node1:default/target:Ingress', 'allow']],
    ['prodWeb', 'target', ['node2:prod/prodWeb:Egress', 'node1:default/target:Ingress', 'allow']],
    ['web', 'stranger', ['node1:default/web:Egress', 'allow']],
    ['stranger', 'web', ['node1:default/web:Ingress', 'allow']],
    ['node1', 'web', ['node1:default/web:Ingress', 'allow']],
    ['node2', 'web', ['node1:default/web:Ingress', 'allow']],
    ['web', 'node1', ['node1:default/web:Egress', 'node1:node1:Ingress', 'allow']],
    ['web', 'node2', ['node1:default/web:Egress', 'allow']],
    ['node1', 'node2', ['allow']],
    ['node1', 'node1', ['allow']],
    ['stranger', 'node1', ['allow']],
  ];
  for (const [from, to, expected] of cases) {
    t.same(trace(world, from, to), expected, `${from} to ${to}`);
  }
});

t.test('the first denial ends it', async (t) => {
  const world = verdictWorld({
    policies: [policy('out', { types: ['Egress'], selector: "role == 'web'" })],
  });
  t.same(trace(world, 'prodWeb', 'target'), ['node2:prod/prodWeb:Egress', 'deny']);
  const packet = packetOf(4, 'prodWeb', 'target', 'tcp');
  const flow = { from: end(world, 'prodWeb'), to: end(world, 'target'), packet };
  const whole = traceFlow(world, flow, { toTheEnd: true });
  t.equal(whole.verdict, 'deny');
  t.same(
    whole.decisions.map(({ verdict }) => verdict),
    ['deny', 'allow'],
    'what the other end would say is told when asked for',
  );
});

t.test('the interface to the outside is the one that a host endpoint expects', async (t) => {
  const hostEndpoint = (name: string, node: string, interfaceName: string, address?: string) => ({
    name,
    node,
    interfaceName,
    expectedIPs: address === undefined ? [] : [address],
    profiles: [],
    ports: [],
    labels: {},
  });
  const of = (...hostEndpoints: ReturnType<typeof hostEndpoint>[]): string =>
    outerInterface(verdictWorld({ hostEndpoints }), 'node1').name;
  t.equal(of(), '');
  t.equal(of(hostEndpoint('a', 'node2', 'eth9')), '', 'of another node');
  t.equal(of(hostEndpoint('a', 'node1', '*')), '', 'of every interface');
  t.equal(of(hostEndpoint('b', 'node1', 'eth2'), hostEndpoint('a', 'node1', 'eth1')), 'eth1');
  const own = hostEndpoint('b', 'node1', 'eth2', '172.16.60.215');
  const expected = { ...own, expectedIPs: ['192.0.2.99', ...own.expectedIPs] };
  t.equal(of(hostEndpoint('a', 'node1', 'eth1', '192.0.2.9'), expected), 'eth2');
});

t.test('host endpoints of both hosts are asked', async (t) => {
  const hostEndpoint = (node: string) => ({
    name: `hep-${node}`,
    node,
    interfaceName: 'eth0',
    expectedIPs: [],
    profiles: [],
    ports: [],
    labels: { host: 'yes' },
  });
  const world = verdictWorld({
    hostEndpoints: ['node1', 'node2'].map(hostEndpoint),
    policies: [
      policy('f', {
        selector: 'has(host)',
        types: ['Ingress', 'Egress'],
        ingress: [allow()],
        egress: [allow()],
        applyOnForward: true,
      }),
    ],
  });
  t.same(trace(world, 'prodWeb', 'target'), [
    'node2:prod/prodWeb:Egress',
    'node2:hep-node2:Egress',
    'node1:hep-node1:Ingress',
    'node1:default/target:Ingress',
    'allow',
  ]);
  t.same(trace(world, 'node1', 'node2'), [
    'node1:hep-node1:Egress',
    'node2:hep-node2:Ingress',
    'allow',
  ]);
  t.equal(addressOf('node1', 4).toString(), '172.16.60.215');
});
