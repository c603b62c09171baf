import t from 'tap';
import type { NetworkPolicy, PolicyDirection, Tier } from '../../../src/model/index.js';
import {
  describeReason,
  judgeEndpoint,
  type Judgement,
  type World,
} from '../../../src/model/verdict/index.js';
import {
  allow,
  deny,
  packetOf,
  policy,
  verdictWorld,
  workload,
} from '../../fixtures/verdict-world.js';

/** What the policies say of a TCP packet from `web` to `target`, or back. */
function judge(
  policies: readonly NetworkPolicy[],
  more: Partial<World> = {},
  direction: PolicyDirection = 'Ingress',
): Judgement {
  const world = verdictWorld({ policies, ...more });
  const subject = world.workloads.find(({ name }) => name === 'target');
  if (subject === undefined) throw new Error('no target');
  const packet =
    direction === 'Ingress'
      ? packetOf(4, 'web', 'target', 'tcp')
      : packetOf(4, 'target', 'web', 'tcp');
  const found = judgeEndpoint(world, { kind: 'workload', workload: subject }, packet, {
    direction,
    stage: 'normal',
  });
  if (found === undefined) throw new Error('nothing decided');
  return found;
}

const ingress = (name: string, rules: NetworkPolicy['ingress'], more = {}): NetworkPolicy =>
  policy(name, { ingress: rules, ...more });

t.test('without a policy that applies, profiles decide', async (t) => {
  t.match(judge([]), { verdict: 'allow', reason: { type: 'profile', profile: 'open', rule: 0 } });
  const elsewhere = ingress('p', [deny()], { selector: "role == 'web'" });
  t.match(judge([elsewhere]), { verdict: 'allow' }, 'it selects others');
  const outward = policy('p', { types: ['Egress'], egress: [deny()] });
  t.match(judge([outward]), { verdict: 'allow' }, 'an egress policy leaves ingress to profiles');
  t.match(judge([outward], {}, 'Egress'), { verdict: 'deny' });
  const unlisted = policy('p', { types: ['Egress'], ingress: [deny()] });
  t.match(judge([unlisted]), { verdict: 'allow' }, 'rules of a direction that types do not list');
});

t.test('a policy that applies and decides nothing denies at the end of its tier', async (t) => {
  t.match(judge([policy('p')]), {
    verdict: 'deny',
    reason: { type: 'end-of-tier', tier: 'default' },
  });
  t.match(judge([ingress('p', [allow({ protocol: 'UDP' })])]), { verdict: 'deny' });
});

t.test('policies of a namespace apply to its endpoints only', async (t) => {
  t.match(judge([ingress('p', [deny()], { namespace: 'prod' })]), { verdict: 'allow' });
  t.match(judge([ingress('p', [deny()], { namespace: 'default' })]), {
    verdict: 'deny',
    reason: { type: 'policy', policy: 'p', namespace: 'default', tier: 'default', rule: 0 },
  });
  const inNamespaces = (namespaceSelector: string): string =>
    judge([ingress('p', [deny()], { namespaceSelector })]).verdict;
  t.equal(inNamespaces('all()'), 'deny', 'whoever is in a namespace');
  t.equal(inNamespaces('has(env)'), 'allow', 'its namespace has no such label');
  t.equal(inNamespaces('!has(env)'), 'deny');
});

t.test('order, then name; without an order last', async (t) => {
  const decides = (policies: readonly NetworkPolicy[]): unknown => {
    const { reason } = judge(policies);
    return reason.type === 'policy' ? reason.policy : reason.type;
  };
  const of = (name: string, order?: number, namespace?: string): NetworkPolicy =>
    ingress(name, [allow()], {
      ...(order === undefined ? {} : { order }),
      ...(namespace === undefined ? {} : { namespace }),
    });
  for (const [policies, first] of [
    [[of('a', 2), of('b', 1)], 'b'],
    [[of('a', 2), of('b', -1.5)], 'b'],
    [[of('a'), of('b', 1e9)], 'b'],
    [[of('b', 1), of('a', 1)], 'a'],
    [[of('b'), of('a')], 'a'],
    [[of('a', 0), of('b')], 'a'],
  ] as const) {
    t.equal(decides(policies), first);
    t.equal(decides([...policies].reverse()), first, 'whatever order they come in');
  }
  const [global, own] = [of('a', 1), of('a', 1, 'default')];
  t.notMatch(judge([own, global]).reason, { namespace: 'default' }, 'a global one before');
});

const tier = (name: string, order: number | undefined, defaultAction: Tier['defaultAction']) => ({
  name,
  defaultAction,
  ...(order === undefined ? {} : { order }),
});

t.test('tiers: order, default action, Pass', async (t) => {
  const early = ingress('early', [deny()], { tier: 'early' });
  const late = ingress('late', [allow()]);
  const tiers = [tier('early', 5, 'Deny'), tier('default', 1_000_000, 'Deny')];
  t.match(judge([late, early], { tiers }), { reason: { policy: 'early' } });
  const reversed = [tier('early', 2_000_000, 'Deny')];
  t.match(judge([late, early], { tiers: reversed }), { reason: { policy: 'late' } });
  t.match(judge([late, early], { tiers: [tier('early', undefined, 'Deny')] }), {
    reason: { policy: 'late' },
  });

  const silent = policy('silent', { tier: 'early' });
  t.match(judge([late, silent], { tiers }), { reason: { type: 'end-of-tier', tier: 'early' } });
  const passing = [tier('early', 5, 'Pass')];
  t.match(judge([late, silent], { tiers: passing }), { reason: { policy: 'late' } });
  const elsewhere = { ...silent, selector: "role == 'web'" };
  t.match(judge([late, elsewhere], { tiers }), { reason: { policy: 'late' } }, 'tier left out');

  const pass = ingress('pass', [{ action: 'Pass' }], { tier: 'early', order: 1 });
  const denied = ingress('denied', [deny()], { tier: 'early', order: 2 });
  t.match(judge([late, denied, pass], { tiers }), { reason: { policy: 'late' } });
  t.match(judge([pass, denied], { tiers }), { reason: { type: 'profile' } }, 'Pass of the last');
});

t.test('tiers that no object describes', async (t) => {
  const admin = ingress('admin', [{ action: 'Log' }], { tier: 'kube-admin' });
  const late = ingress('late', [allow()]);
  t.match(judge([late, admin]), { reason: { policy: 'late' }, logged: [{ policy: 'admin' }] });
  const unknown = ingress('lost', [{ action: 'Log' }], { tier: 'nobody-made-it' });
  t.match(judge([late, unknown]), { reason: { policy: 'late' } }, 'asked last');
  t.match(judge([unknown]), { verdict: 'deny', reason: { tier: 'nobody-made-it' } });
});

t.test('Log goes on, and is remembered', async (t) => {
  const logging = ingress('p', [{ action: 'Log' }, allow({ protocol: 'UDP' }), allow()]);
  t.match(judge([logging]), {
    verdict: 'allow',
    reason: { rule: 2 },
    logged: [{ policy: 'p', tier: 'default' }],
  });
});

t.test('a policy that cannot be enforced denies, in its place', async (t) => {
  const broken = ingress('broken', [allow()], { unsupported: ['http'], order: 1 });
  const found = judge([broken, ingress('later', [allow()], { order: 2 })]);
  t.match(found, { verdict: 'deny', reason: { type: 'unsupported', what: ['http'] } });
  t.match(judge([broken, ingress('before', [allow()], { order: 0 })]), { verdict: 'allow' });
  t.match(describeReason(found.reason), /policy broken cannot be enforced and denies all: http/);
});

t.test('policies of host endpoints do not apply to containers', async (t) => {
  t.match(judge([ingress('p', [deny()], { doNotTrack: true })]), { verdict: 'allow' });
  t.match(judge([ingress('p', [deny()], { preDNAT: true })]), { verdict: 'allow' });
  t.match(judge([ingress('p', [deny()], { applyOnForward: true })]), { verdict: 'deny' });
});

t.test('profiles in order', async (t) => {
  const profile = (name: string, rules: NetworkPolicy['ingress']) => ({
    name,
    ingress: rules,
    egress: [],
    labelsToApply: {},
  });
  const withProfiles = (names: readonly string[]): Judgement =>
    judge([], {
      workloads: [workload('target', { profiles: names })],
      profiles: [
        profile('yes', [allow()]),
        profile('no', [deny()]),
        profile('silent', []),
        profile('pass', [{ action: 'Pass' }]),
        profile('log', [{ action: 'Log' }, allow()]),
      ],
    });
  t.match(withProfiles(['silent', 'yes', 'no']), { verdict: 'allow' });
  t.match(withProfiles(['no', 'yes']), { verdict: 'deny', reason: { profile: 'no' } });
  t.match(withProfiles(['log']), {
    verdict: 'allow',
    reason: { profile: 'log', rule: 1 },
    logged: [{ profile: 'log' }],
  });
  t.match(withProfiles(['pass', 'yes']), { verdict: 'allow' }, 'Pass matches nothing');
  t.match(withProfiles(['pass']), { verdict: 'deny', reason: { type: 'no-match' } });
  t.match(withProfiles([]), { verdict: 'deny', reason: { type: 'no-match', profiles: [] } });
  t.match(withProfiles(['lost', 'yes']), { verdict: 'deny', reason: { type: 'missing-profile' } });
  t.match(withProfiles(['yes', 'lost']), { verdict: 'allow' });
});

t.test('the first profile to apply a label wins, and the endpoint before it', async (t) => {
  const labelling = (name: string, value: string) => ({
    name,
    ingress: [],
    egress: [],
    labelsToApply: { a: value, role: 'profile' },
  });
  const selected = (selector: string): string =>
    judge([ingress('p', [allow()], { selector })], {
      workloads: [workload('target', { labels: { role: 'own' }, profiles: ['one', 'two'] })],
      profiles: [labelling('two', '2'), labelling('one', '1')],
    }).verdict;
  t.equal(selected("a == '1'"), 'allow');
  t.equal(selected("a == '2'"), 'deny');
  t.equal(selected("role == 'own'"), 'allow');
  t.equal(selected("projectcalico.org/namespace == 'default'"), 'allow');
});
