import t from 'tap';
import { Cidr, families, type Family, type Rule } from '../../../src/model/index.js';
import { judgeEndpoint, namespaceTest, type World } from '../../../src/model/verdict/index.js';
import type { CasePacket, RuleCase } from '../../fixtures/rule-case.js';
import { ruleCases } from '../../fixtures/rule-cases.js';
import { allow, packetOf, policy, verdictWorld } from '../../fixtures/verdict-world.js';

function worldWith({ namespace }: RuleCase, ingress: readonly Rule[]): World {
  const selector = "role == 'target'";
  const owner = namespace === undefined ? {} : { namespace };
  return verdictWorld({ policies: [policy('p', { selector, ingress, ...owner })] });
}

function verdictOf(world: World, family: Family, [from, protocol, ports]: CasePacket): string {
  const workload = world.workloads.find(({ name }) => name === 'target');
  if (workload === undefined) throw new Error('no target');
  const packet = packetOf(family, from, 'target', protocol, ports);
  const at = { direction: 'Ingress', stage: 'normal' } as const;
  return judgeEndpoint(world, { kind: 'workload', workload }, packet, at)?.verdict ?? 'nothing';
}

for (const each of ruleCases) {
  for (const family of each.families ?? families) {
    t.test(`IPv${family}: ${each.name}`, async (t) => {
      const allows = worldWith(each, [{ action: 'Allow', ...each.rule }]);
      const denies = worldWith(each, [{ action: 'Deny', ...each.rule }, allow()]);
      for (const packet of each.matches) {
        const shown = JSON.stringify(packet);
        t.equal(verdictOf(allows, family, packet), 'allow', `matches ${shown}`);
        t.equal(verdictOf(denies, family, packet), 'deny', `matches ${shown}`);
      }
      for (const packet of each.misses) {
        const shown = JSON.stringify(packet);
        t.equal(verdictOf(allows, family, packet), 'deny', `does not match ${shown}`);
        t.equal(verdictOf(denies, family, packet), 'allow', `does not match ${shown}`);
      }
    });
  }
}

t.test('every member of a rule has a case that it matches and one that it does not', async (t) => {
  const members = (rule: object): string[] =>
    Object.entries(rule).flatMap(([name, value]: [string, unknown]) =>
      name === 'source' || name === 'destination'
        ? Object.keys(value as object).map((member) => `${name}.${member}`)
        : [name],
    );
  const seen = (packets: 'matches' | 'misses'): Set<string> =>
    new Set(
      ruleCases.filter((each) => each[packets].length > 0).flatMap(({ rule }) => members(rule)),
    );
  for (const member of [
    ...['ipVersion', 'protocol', 'notProtocol', 'icmp', 'notICMP', 'source.nets'],
    ...['source.notNets', 'source.selector', 'source.notSelector', 'source.namespaceSelector'],
    ...['source.ports', 'source.notPorts', 'destination.nets', 'destination.notNets'],
    ...['destination.selector', 'destination.notSelector', 'destination.ports'],
    'destination.notPorts',
  ]) {
    t.ok(seen('matches').has(member), `${member} matches something`);
    t.ok(seen('misses').has(member), `${member} misses something`);
  }
});

t.test('namespace selectors look at labels of namespaces, with every operator', async (t) => {
  const labels = { 'pcns.env': 'prod-1', env: 'other', 'projectcalico.org/namespace': 'a' };
  const cases: [string, boolean][] = [
    ['has(env)', true],
    ['has(other)', false],
    ["env == 'prod-1'", true],
    ["env == 'other'", false],
    ["env != 'other'", true],
    ["env != 'prod-1'", false],
    ["other != 'x'", true],
    ["other == 'x'", false],
    ["env in {'prod-1', 'x'}", true],
    ["env in {'other'}", false],
    ["other in {'x'}", false],
    ["env not in {'other'}", true],
    ["env not in {'prod-1'}", false],
    ["other not in {'x'}", true],
    ["env contains 'od-'", true],
    ["env contains 'other'", false],
    ["env starts with 'prod'", true],
    ["env starts with '1'", false],
    ["env ends with '-1'", true],
    ["env ends with 'prod'", false],
    ["other contains ''", false],
    ['!has(env)', false],
    ["has(env) && other != 'x'", true],
    ['has(env) && has(other)', false],
    ['has(other) || has(env)', true],
    ['has(other) || has(nothing)', false],
    ['all()', true],
    ['global()', false],
    ['!global()', true],
  ];
  for (const [text, expected] of cases) t.equal(namespaceTest(text)(labels), expected, text);
  t.equal(namespaceTest('all()')({ env: 'x' }), false, 'who is in no namespace');
  t.equal(namespaceTest('global()')({ env: 'x' }), true);
  t.equal(namespaceTest('has(toString)')(labels), false, 'no label by inheritance');
});

t.test('an address may belong to several: one that fits is enough', async (t) => {
  const base = verdictWorld();
  const nets = [Cidr.parse('192.0.2.1/32'), Cidr.parse('10.65.0.0/16')];
  const around = { name: 'all', nets, labels: { zone: 'x' } };
  const policies = [
    policy('p', {
      selector: "role == 'target'",
      ingress: [
        allow({ protocol: 'TCP', destination: { ports: ['http'] } }),
        allow({ source: { selector: "zone == 'x'" }, protocol: 'UDP' }),
        allow({ source: { selector: "role == 'web'" }, protocol: 'SCTP' }),
      ],
    }),
  ];
  const world = { ...base, policies, networkSets: [...base.networkSets, around] };
  t.equal(verdictOf(world, 4, ['web', 'tcp', { dport: 8080 }]), 'allow');
  t.equal(verdictOf(world, 4, ['web', 'udp']), 'allow');
  t.equal(verdictOf(world, 4, ['web', 'sctp']), 'allow');
  t.equal(verdictOf(world, 4, ['stranger', 'udp']), 'deny');
});

t.test('what cannot be understood in a profile fails closed', async (t) => {
  const bad: Omit<Rule, 'action'>[] = [
    { protocol: 'PIGEON' },
    { notProtocol: 0 },
    { http: {} },
    { source: { selector: 'a ==' } },
    { source: { notSelector: 'a ==' } },
    { source: { namespaceSelector: '(' } },
    { source: { nets: ['banana'] } },
    { source: { notNets: ['banana'] } },
    { destination: { ports: [80] } },
    { protocol: 47, destination: { ports: [80] } },
    { protocol: 47, destination: { notPorts: [80] } },
    { protocol: 'TCP', destination: { ports: ['9:2'] } },
    { protocol: 'TCP', destination: { ports: ['a b'] } },
    { icmp: { type: 8 }, protocol: 'TCP' },
    { notICMP: { type: 8 } },
    { notICMP: {}, protocol: 'ICMP' },
    { icmp: { type: 256 }, protocol: 'ICMP' },
    { icmp: { type: 8, code: 0.5 }, protocol: 'ICMP' },
    { icmp: { type: -1 }, protocol: 'ICMP' },
    { icmp: 8 as never, protocol: 'ICMP' },
    { icmp: null as never, protocol: 'ICMP' },
    { source: { services: { name: 'x' } } },
    { source: { serviceAccounts: { names: ['x'] } } },
  ];
  for (const rule of bad) {
    const world = (rules: readonly Rule[]): World => ({
      ...verdictWorld(),
      profiles: [{ name: 'open', ingress: rules, egress: [], labelsToApply: {} }],
    });
    const protocol = rule.protocol === 47 ? 47 : rule.protocol === 'ICMP' ? 'icmp' : 'tcp';
    const packet: CasePacket = ['stranger', protocol];
    const shown = JSON.stringify(rule);
    const allows = world([{ action: 'Allow', ...rule }]);
    t.equal(verdictOf(allows, 4, packet), 'deny', `allows nobody: ${shown}`);
    const denies = world([{ action: 'Deny', ...rule }, allow()]);
    t.equal(verdictOf(denies, 4, packet), 'deny', `denies: ${shown}`);
  }
});
