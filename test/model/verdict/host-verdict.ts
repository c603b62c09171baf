import t from 'tap';
import type { HostEndpoint, NetworkPolicy } from '../../../src/model/index.js';
import {
  defaultVerdictSettings,
  hostEndpointOf,
  judgeAtHost,
  type FlowVerdict,
  type Gate,
  type HostFlow,
  type World,
} from '../../../src/model/verdict/index.js';
import {
  addressOf,
  allow,
  deny,
  hosts,
  packetOf,
  policy,
  verdictWorld,
  type HostName,
  type Ports,
  type ProtocolName,
} from '../../fixtures/verdict-world.js';

const eth0 = { name: 'eth0', addresses: [addressOf('node1', 4), addressOf('node1', 6)] };
const outside: Gate = { type: 'interface', host: eth0 };
const process: Gate = { type: 'process' };

const hostEndpoint = (more: Partial<HostEndpoint> = {}): HostEndpoint => ({
  name: 'n1',
  node: 'node1',
  interfaceName: 'eth0',
  expectedIPs: [],
  profiles: [],
  ports: [],
  labels: { host: 'yes' },
  ...more,
});
const hostPolicy = (name: string, more: Partial<NetworkPolicy>): NetworkPolicy =>
  policy(name, { selector: 'has(host)', types: ['Ingress', 'Egress'], ...more });

function worldOf(policies: readonly NetworkPolicy[], more: Partial<World> = {}): World {
  return verdictWorld({ policies, hostEndpoints: [hostEndpoint()], ...more });
}

function container(world: World, name: HostName): Gate {
  const workload = world.workloads.find((each) => each.name === name);
  if (workload === undefined) throw new Error(`no ${name}`);
  return { type: 'workload', workload };
}

interface Trip {
  readonly from: [Gate, HostName];
  readonly to: [Gate, HostName];
  readonly protocol?: ProtocolName;
  readonly ports?: Ports;
  readonly published?: HostFlow['published'];
}

function judge(world: World, { from, to, protocol = 'tcp', ports, published }: Trip): FlowVerdict {
  const packet = packetOf(4, from[1], to[1], protocol, ports);
  const flow: HostFlow = { node: 'node1', packet, from: from[0], to: to[0] };
  return judgeAtHost(world, published === undefined ? flow : { ...flow, published });
}

const inbound = (ports: Ports = {}): Trip => ({
  from: [outside, 'stranger'],
  to: [process, 'node1'],
  ports,
});
const outbound = (ports: Ports = {}): Trip => ({
  from: [process, 'node1'],
  to: [outside, 'stranger'],
  ports,
});
const toContainer = (world: World, ports: Ports = {}): Trip => ({
  from: [outside, 'stranger'],
  to: [container(world, 'target'), 'target'],
  ports,
});

t.test('a host without host endpoint is open', async (t) => {
  const world = worldOf([hostPolicy('p', { ingress: [deny()] })], { hostEndpoints: [] });
  t.same(judge(world, inbound()), { verdict: 'allow', decisions: [] });
  t.same(judge(world, outbound()), { verdict: 'allow', decisions: [] });
});

t.test('a host endpoint without policy and profile lets failsafe ports through only', async (t) => {
  const world = worldOf([]);
  t.match(judge(world, inbound()), {
    verdict: 'deny',
    decisions: [{ place: { kind: 'hostEndpoint', name: 'n1' }, reason: { type: 'no-match' } }],
  });
  t.match(judge(world, outbound()), { verdict: 'deny' });
  for (const dport of [22, 179, 2379, 2380, 5473, 6443, 6666, 6667]) {
    t.match(judge(world, inbound({ dport })), { verdict: 'allow' }, `in ${dport}`);
    t.equal(judge(world, outbound({ dport })).verdict, dport === 22 ? 'deny' : 'allow');
  }
  const udp = (trip: Trip): string => judge(world, { ...trip, protocol: 'udp' }).verdict;
  t.equal(udp(inbound({ dport: 68 })), 'allow');
  t.equal(udp(inbound({ dport: 22 })), 'deny', 'failsafe is TCP there');
  t.equal(udp(outbound({ dport: 53 })), 'allow');
  t.equal(udp(outbound({ dport: 67 })), 'allow');
  const nets = [{ protocol: 'tcp', port: 22, net: '10.0.0.0/8' }];
  const limited = worldOf([], { settings: { ...defaultVerdictSettings, failsafeInbound: nets } });
  t.equal(judge(limited, inbound({ dport: 22 })).verdict, 'deny', 'not from that network');
});

t.test('failsafe comes before a policy that denies', async (t) => {
  const world = worldOf([
    hostPolicy('p', { ingress: [deny()], egress: [deny()] }),
    hostPolicy('raw', { ingress: [deny()], doNotTrack: true, applyOnForward: true }),
    hostPolicy('pre', {
      ingress: [deny()],
      preDNAT: true,
      applyOnForward: true,
      types: ['Ingress'],
    }),
  ]);
  t.match(judge(world, inbound({ dport: 22 })), {
    verdict: 'allow',
    decisions: [{ reason: { type: 'failsafe', port: 22 } }],
  });
  t.equal(judge(world, inbound()).verdict, 'deny');
});

t.test('what a policy of the host says, it says for its own traffic', async (t) => {
  const world = worldOf([
    hostPolicy('p', {
      ingress: [allow({ protocol: 'TCP', destination: { ports: [80] } })],
      egress: [allow({ protocol: 'TCP', destination: { ports: [443] } })],
    }),
  ]);
  t.equal(judge(world, inbound({ dport: 80 })).verdict, 'allow');
  t.equal(judge(world, inbound({ dport: 81 })).verdict, 'deny');
  t.equal(judge(world, outbound({ dport: 443 })).verdict, 'allow');
  t.equal(judge(world, outbound({ dport: 80 })).verdict, 'deny');
  t.equal(judge(world, toContainer(world)).verdict, 'allow', 'forwarded traffic is not its own');
  const withProfile = worldOf([], { hostEndpoints: [hostEndpoint({ profiles: ['open'] })] });
  t.equal(judge(withProfile, inbound()).verdict, 'allow', 'a profile opens it');
});

t.test('policies for forwarded traffic', async (t) => {
  const web = allow({ protocol: 'TCP', destination: { ports: [80] } });
  const world = worldOf([hostPolicy('f', { ingress: [web], egress: [web], applyOnForward: true })]);
  t.match(judge(world, toContainer(world)), {
    verdict: 'allow',
    decisions: [
      { place: { name: 'n1', stage: 'forward', direction: 'Ingress' } },
      { place: { name: 'default/target', direction: 'Ingress' } },
    ],
  });
  t.match(judge(world, toContainer(world, { dport: 81 })), {
    verdict: 'deny',
    decisions: [{ place: { stage: 'forward' }, reason: { type: 'end-of-tier' } }],
  });
  t.equal(judge(world, toContainer(world, { dport: 22 })).verdict, 'deny', 'no failsafe there');
  const outward = (dport: number): FlowVerdict =>
    judge(world, {
      from: [container(world, 'target'), 'target'],
      to: [outside, 'stranger'],
      ports: { dport },
    });
  t.match(outward(80), { verdict: 'allow', decisions: [{}, { place: { direction: 'Egress' } }] });
  t.equal(outward(81).verdict, 'deny');
  const router = judge(world, { from: [outside, 'stranger'], to: [outside, 'bad'] });
  t.equal(router.decisions.length, 2, 'through the host: in and out');
  t.equal(judge(world, inbound({ dport: 80 })).verdict, 'allow', 'and for its own traffic');
  const containers = judge(world, {
    from: [container(world, 'web'), 'web'],
    to: [container(world, 'target'), 'target'],
    ports: { dport: 81 },
  });
  t.equal(containers.verdict, 'allow', 'between its containers no interface is passed');
});

t.test('untracked policies come first and skip those of the host', async (t) => {
  const raw = hostPolicy('raw', {
    ingress: [
      allow({ protocol: 'TCP', destination: { ports: [80] } }),
      deny({ protocol: 'TCP', destination: { ports: [81] } }),
    ],
    doNotTrack: true,
    applyOnForward: true,
  });
  const world = worldOf([raw, hostPolicy('n', { ingress: [deny()] })]);
  t.match(judge(world, inbound({ dport: 80 })), {
    verdict: 'allow',
    decisions: [{ place: { stage: 'untracked' }, reason: { policy: 'raw' } }],
  });
  t.match(judge(world, inbound({ dport: 81 })), { decisions: [{ reason: { policy: 'raw' } }] });
  t.match(
    judge(world, inbound({ dport: 82 })),
    { verdict: 'deny', decisions: [{ place: { stage: 'normal' }, reason: { policy: 'n' } }] },
    'what it does not decide goes on',
  );
  const reply = judge(worldOf([hostPolicy('raw', { ...raw, ingress: [deny()] })]), {
    ...inbound({ sport: 179, dport: 50_000 }),
  });
  t.match(reply.decisions[0]?.place, { stage: 'normal' }, 'replies from failsafe ports');
  const all = worldOf([raw], { hostEndpoints: [hostEndpoint({ interfaceName: '*' })] });
  t.match(judge(all, inbound({ dport: 80 })), { verdict: 'deny' }, 'not offered for *');
  const forwarded = judge(world, toContainer(world, { dport: 81 }));
  t.match(forwarded, { verdict: 'deny', decisions: [{ reason: { policy: 'raw' } }] });
});

t.test('untracked policies on the way out', async (t) => {
  const raw = hostPolicy('raw', {
    egress: [deny({ protocol: 'TCP', destination: { ports: [81, 179] } }), allow()],
    doNotTrack: true,
    applyOnForward: true,
  });
  const world = worldOf([raw, hostPolicy('n', { egress: [deny()] })]);
  t.match(judge(world, outbound({ dport: 80 })), {
    verdict: 'allow',
    decisions: [{ place: { stage: 'untracked', direction: 'Egress' }, reason: { rule: 1 } }],
  });
  t.match(judge(world, outbound({ dport: 81 })), { verdict: 'deny' });
  t.match(judge(world, outbound({ dport: 179 })), { verdict: 'allow' }, 'failsafe');
  t.match(
    judge(world, outbound({ sport: 22, dport: 81 })),
    { decisions: [{ place: { stage: 'normal' } }] },
    'replies of failsafe ports',
  );
  const all = worldOf([raw], { hostEndpoints: [hostEndpoint({ interfaceName: '*' })] });
  t.match(judge(all, outbound({ dport: 80 })), { verdict: 'deny' }, 'not offered for *');
});

t.test('preDNAT policies see the published address and port', async (t) => {
  const published = { address: addressOf('node1', 4), port: 18_080 };
  const rules = [deny({ protocol: 'TCP', destination: { ports: [18_080] } })];
  const pre = hostPolicy('pre', {
    types: ['Ingress'],
    ingress: rules,
    preDNAT: true,
    applyOnForward: true,
  });
  const world = worldOf([pre]);
  t.match(judge(world, { ...toContainer(world), published }), {
    verdict: 'deny',
    decisions: [{ place: { stage: 'preDNAT' }, reason: { policy: 'pre' } }],
  });
  t.equal(judge(world, toContainer(world)).verdict, 'allow', 'the translated port is another');
  const open = worldOf([
    { ...pre, ingress: [allow()] },
    hostPolicy('f', { ingress: [deny()], applyOnForward: true }),
  ]);
  t.match(judge(open, toContainer(open)), {
    verdict: 'allow',
    decisions: [{ place: { stage: 'preDNAT' } }, { place: { kind: 'workload' } }],
  });
});

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
