import t from 'tap';
import { defaultVerdictSettings, type FlowVerdict } from '../../../src/model/verdict/index.js';
import {
  container,
  hostEndpoint,
  hostPolicy,
  inbound,
  judge,
  outbound,
  outside,
  toContainer,
  worldOf,
  type Trip,
} from '../../fixtures/host-flows.js';
import { addressOf, allow, deny } from '../../fixtures/verdict-world.js';

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
  const leaving = worldOf([
    raw,
    hostPolicy('f', { ingress: [deny()], egress: [deny()], applyOnForward: true }),
  ]);
  t.match(
    judge(leaving, { from: [outside, 'stranger'], to: [outside, 'bad'] }),
    {
      verdict: 'deny',
      decisions: [{ place: { stage: 'untracked' } }, { place: { direction: 'Egress' } }],
    },
    'where it leaves the host it is asked about again',
  );
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
