import t from 'tap';
import { Address } from '../../../src/model/index.js';
import {
  defaultVerdictSettings,
  hostEndpointOf,
  judgeAtHost,
  type FlowVerdict,
} from '../../../src/model/verdict/index.js';
import {
  container,
  eth0,
  hostEndpoint,
  hostPolicy,
  inbound,
  judge,
  outside,
  process,
  worldOf,
  type Trip,
} from '../../fixtures/host-flows.js';
import {
  allow,
  deny,
  hosts,
  packetOf,
  policy,
  type HostName,
  type Ports,
  type ProtocolName,
} from '../../fixtures/verdict-world.js';

t.test('which host endpoint an interface has', async (t) => {
  const world = worldOf([], {
    hostEndpoints: [
      hostEndpoint({ name: 'all', interfaceName: '*' }),
      hostEndpoint({ name: 'b' }),
      hostEndpoint({ name: 'a' }),
      { ...hostEndpoint({ name: 'other', node: 'node2' }) },
      ...[hosts.node1[0], hosts.node1[1]].map((address, at) => {
        const { interfaceName: _name, ...rest } = hostEndpoint({ name: `ip${at}` });
        return { ...rest, expectedIPs: ['192.0.2.77', address] };
      }),
    ],
  });
  const of = (name: string, addresses = eth0.addresses): string | undefined =>
    hostEndpointOf(world, 'node1', { name, addresses })?.name;
  t.equal(of('eth0'), 'a', 'by name, of several the first');
  const early = { ...hostEndpoint({ name: '0' }), expectedIPs: [hosts.node1[1]] };
  const { interfaceName: _name, ...byAddress } = early;
  const three = { ...world, hostEndpoints: [...world.hostEndpoints, byAddress] };
  t.equal(hostEndpointOf(three, 'node1', eth0)?.name, '0', 'a name counts no more than an address');
  const named = { ...world, hostEndpoints: [...world.hostEndpoints, early] };
  t.equal(hostEndpointOf(named, 'node1', { ...eth0, name: 'eth1' })?.name, 'ip0');
  t.equal(of('lo', []), undefined, 'of all interfaces does not mean that one');
  t.equal(of('eth1'), 'ip0', 'by an expected address');
  t.equal(of('eth1', []), 'all', 'any other');
  t.equal(hostEndpointOf(world, 'node3', eth0), undefined);
});

t.test('containers and their own host', async (t) => {
  const world = worldOf([policy('p', { selector: 'has(role)', ingress: [deny()] })]);
  const hostTo = judge(world, {
    from: [process, 'node1'],
    to: [container(world, 'target'), 'target'],
  });
  t.match(hostTo, { verdict: 'allow', decisions: [{ reason: { type: 'built-in' } }] });
  const toHost = (endpointToHost: 'Drop' | 'Accept' | 'Return'): FlowVerdict => {
    const settings = { ...defaultVerdictSettings, endpointToHost };
    const own = worldOf([], { settings });
    return judge(own, { from: [container(own, 'web'), 'web'], to: [process, 'node1'] });
  };
  t.equal(toHost('Drop').verdict, 'deny');
  t.equal(toHost('Accept').verdict, 'allow');
  t.match(toHost('Return'), {
    verdict: 'allow',
    decisions: [{}, { place: { kind: 'host' }, reason: { what: /own firewall decides/ } }],
  });
  const shut = worldOf([policy('p', { types: ['Egress'], selector: "role == 'web'" })]);
  t.match(
    judge(shut, { from: [container(shut, 'web'), 'web'], to: [process, 'node1'] }),
    { verdict: 'deny', decisions: [{ place: { kind: 'workload' } }] },
    'its egress policy comes first',
  );
  const discovery = judgeAtHost(shut, {
    node: 'node1',
    packet: packetOf(6, 'web', 'node1', 'ping', { type: 135 }),
    from: container(shut, 'web'),
    to: process,
  });
  t.equal(discovery.verdict, 'allow', 'neighbour discovery always');
  const others = [
    { protocol: 'tcp', type: 135 },
    { protocol: 'ping', type: 128 },
  ] as const;
  for (const { protocol, type } of others) {
    const packet = { ...packetOf(6, 'web', 'node1', protocol, { type }), icmpType: type };
    const flow = { node: 'node1', packet, from: container(shut, 'web'), to: process };
    t.equal(judgeAtHost(shut, flow).verdict, 'deny', `${protocol} is not`);
  }
});

t.test('after a denial nobody is asked any more, unless that is wanted', async (t) => {
  const world = worldOf([policy('p', { types: ['Egress'], selector: "role == 'web'" })]);
  const packet = packetOf(4, 'web', 'target', 'tcp');
  const [from, to] = [container(world, 'web'), container(world, 'target')];
  const flow = { node: 'node1', packet, from, to };
  t.equal(judgeAtHost(world, flow).decisions.length, 1);
  const all = judgeAtHost(world, flow, { toTheEnd: true });
  t.match(all, { verdict: 'deny', decisions: [{ verdict: 'deny' }, { verdict: 'allow' }] });
});

t.test('the order in which objects come means nothing', async (t) => {
  const policies = ['a', 'b', 'c'].map((name, order) =>
    hostPolicy(name, { order, ingress: [name === 'b' ? deny() : allow({ protocol: 'UDP' })] }),
  );
  const hostEndpoints = ['y', 'x'].map((name) => hostEndpoint({ name }));
  const worlds = [
    worldOf(policies, { hostEndpoints }),
    worldOf([...policies].reverse(), { hostEndpoints: [...hostEndpoints].reverse() }),
  ];
  const [one, other] = worlds.map((world) => judge(world, inbound()));
  t.match(one, { decisions: [{ place: { name: 'x' }, reason: { policy: 'b' } }] });
  t.same(one, other);
});

t.test('hosts of the cluster reach containers if they are to', async (t) => {
  const denied = [policy('p', { selector: 'has(role)', ingress: [deny()] })];
  const settings = { ...defaultVerdictSettings, hostReach: 'all' as const };
  for (const [world, verdict] of [
    [worldOf(denied), 'deny'],
    [worldOf(denied, { settings }), 'allow'],
  ] as const) {
    const to: Trip['to'] = [container(world, 'target'), 'target'];
    t.equal(judge(world, { from: [outside, 'node2'], to }).verdict, verdict);
    t.equal(judge(world, { from: [outside, 'stranger'], to }).verdict, 'deny');
  }
});

t.test('what no container may send', async (t) => {
  const world = worldOf([]);
  const sends = (from: HostName, protocol: ProtocolName, ports: Ports = {}): string =>
    judge(world, {
      from: [container(world, 'web'), from],
      to: [outside, 'stranger'],
      protocol,
      ports,
    }).verdict;
  t.equal(sends('web', 'tcp'), 'allow');
  t.equal(sends('plain', 'tcp'), 'deny', "another container's address");
  t.equal(sends('web', 4), 'deny', 'IP in IP');
  t.equal(sends('web', 'udp', { dport: 4789 }), 'deny', 'VXLAN');
  t.equal(sends('web', 'udp', { dport: 4790 }), 'allow');
  t.equal(sends('web', 'icmp', { type: 5 }), 'deny', 'redirect');
  t.equal(sends('web', 'icmp', { type: 8 }), 'allow');
  for (const type of [134, 137]) t.equal(sends('web', 'icmpv6', { type }), 'deny', `type ${type}`);
});

t.test('who has no address yet may ask for one', async (t) => {
  const world = worldOf([]);
  const asks = (family: 4 | 6, protocol: ProtocolName, ports: Ports, to: string): string => {
    const packet = {
      ...packetOf(family, 'web', 'stranger', protocol, ports),
      source: Address.parse(family === 4 ? '0.0.0.0' : '::'),
      destination: Address.parse(to),
    };
    const flow = { node: 'node1', packet, from: container(world, 'web'), to: outside };
    return judgeAtHost(world, flow).verdict;
  };
  const dhcp = { sport: 68, dport: 67 };
  t.equal(asks(4, 'udp', dhcp, '255.255.255.255'), 'allow');
  t.equal(asks(4, 'udp', dhcp, '100.64.9.9'), 'deny');
  t.equal(asks(4, 'udp', { sport: 67, dport: 68 }, '255.255.255.255'), 'deny');
  t.equal(asks(4, 'tcp', dhcp, '255.255.255.255'), 'deny');
  t.equal(asks(6, 'ping', { type: 135 }, 'ff02::1'), 'allow');
  t.equal(asks(6, 'ping', { type: 128 }, 'ff02::1'), 'deny');
  t.equal(asks(6, 'tcp', {}, 'ff02::1'), 'deny');
});

t.test('neighbour discovery passes a host endpoint in every direction', async (t) => {
  const none = { ingress: [deny()], egress: [deny()] };
  const world = worldOf([
    hostPolicy('n', none),
    hostPolicy('raw', { ...none, doNotTrack: true, applyOnForward: true }),
  ]);
  for (const [from, to] of [
    [outside, process],
    [process, outside],
  ] as const) {
    const passes = (type: number): string => {
      const packet = packetOf(6, 'stranger', 'node1', 'ping', { type });
      return judgeAtHost(world, { node: 'node1', packet, from, to }).verdict;
    };
    for (const type of [130, 131, 132, 133, 134, 135, 136, 143]) t.equal(passes(type), 'allow');
    for (const type of [128, 129, 137]) t.equal(passes(type), 'deny');
  }
});

t.test('tunnels between nodes pass every host endpoint', async (t) => {
  const settings = { ...defaultVerdictSettings, ipip: true, vxlanPort: 4789 };
  const world = worldOf([hostPolicy('p', { ingress: [allow()], egress: [deny()] })], { settings });
  const comes = (from: HostName, protocol: ProtocolName): string =>
    judge(world, {
      from: [outside, from],
      to: [process, 'node1'],
      protocol,
      ports: { dport: 4789 },
    }).verdict;
  t.equal(comes('node2', 4), 'allow');
  t.equal(comes('stranger', 4), 'deny', 'whatever the policy says');
  t.equal(comes('node2', 'udp'), 'allow');
  t.equal(comes('stranger', 'udp'), 'deny');
  const goes = (to: HostName): string =>
    judge(world, { from: [process, 'node1'], to: [outside, to], protocol: 4 }).verdict;
  t.equal(goes('node2'), 'allow');
  t.equal(goes('stranger'), 'deny');
});
