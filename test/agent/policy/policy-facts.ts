import t from 'tap';
import { Policy } from '../../../src/agent/policy/index.js';
import { defaultFailsafePorts } from '../../../src/agent/policy/failsafe.js';
import { commentText } from '../../../src/agent/policy/rule-names.js';
import { DesiredTable } from '../../../src/agent/table.js';
import { Address, Cidr } from '../../../src/model/index.js';
import { networkProfile } from '../../../src/model/v3/index.js';
import { local, profile } from '../../fixtures/agent-facts.js';
import { policy as policyOf } from '../../fixtures/verdict-world.js';

function create(): { readonly table: DesiredTable; readonly policy: Policy } {
  const table = new DesiredTable('t');
  return { table, policy: new Policy(table, { hostReach: 'own' }, () => 0) };
}
const at = (text: string): Address => Address.parse(text);
const elements = (table: DesiredTable, set: string): string =>
  new RegExp(`^add element inet t ${set} \\{ (.*) \\}$`, 'm').exec(table.takeFull())?.[1] ?? '';

t.test('who decides at an address', async (t) => {
  const { policy } = create();
  policy.setPolicy('p', policyOf('p', { selector: 'all()' }));
  policy.setLocal('e', local('calie', ['10.0.0.1'], ['net1']));
  t.match(policy.facts.decidesAt(at('10.0.0.1')), { id: 'e', policies: [{ name: 'p' }] });
  t.equal(policy.facts.decidesAt(at('10.0.0.2')), undefined, 'a stranger');
  policy.setLocal('e', local('calie', ['10.0.0.2'], ['net1']));
  t.equal(policy.facts.decidesAt(at('10.0.0.1')), undefined, 'its former address');
  policy.setLocal('e', undefined);
  t.equal(policy.facts.decidesAt(at('10.0.0.2')), undefined, 'gone');
});

t.test('what selectors see at an address', async (t) => {
  const { policy } = create();
  const kinds = (text: string): readonly string[] =>
    policy.facts.at(at(text)).map(({ kind }) => kind);
  policy.setNetworkSet('s', { name: 's', nets: [Cidr.parse('10.0.0.0/8')], labels: {} });
  policy.setEndpoint('e', { labels: {}, profiles: [], addresses: [at('10.0.0.1')] });
  t.same(kinds('10.0.0.1'), ['endpoint', 'set']);
  t.same(kinds('10.0.0.2'), ['set']);
  policy.setNetworkSet('s', undefined);
  t.same(kinds('10.0.0.2'), []);
});

t.test('the revision grows with what may forbid, and only with that', async (t) => {
  const { policy } = create();
  policy.setProfile('net1', networkProfile('net1'));
  const one = local('calie', ['10.0.0.1'], ['net1']);
  const grows = (change: () => void): boolean => {
    const before = policy.revision;
    change();
    return policy.revision > before;
  };
  const facts = { labels: {}, profiles: ['net1'], addresses: [at('10.0.0.1')] };
  t.notOk(
    grows(() => policy.setLocal('e', one)),
    'an endpoint comes',
  );
  t.notOk(grows(() => policy.setEndpoint('e', facts)));
  t.notOk(
    grows(() => policy.setLocal('e', one)),
    'the same again',
  );
  t.notOk(grows(() => policy.setEndpoint('e', facts)));
  t.ok(
    grows(() => policy.setLocal('e', { ...one, profiles: ['net2'] })),
    'other lists',
  );
  t.ok(
    grows(() => policy.setEndpoint('e', { ...facts, profiles: [] })),
    'other sets',
  );
  t.notOk(
    grows(() => policy.setEndpoint('e', undefined)),
    'it goes',
  );
  t.notOk(grows(() => policy.setLocal('e', undefined)));
});

t.test("a tier's default action reaches the endpoints", async (t) => {
  const { table, policy } = create();
  policy.setTier('first', { name: 'first', order: 1, defaultAction: 'Deny' });
  policy.setPolicy('p', policyOf('p', { tier: 'first' }));
  policy.setLocal('e', local('calie', ['10.0.0.1'], []));
  t.match(table.takeFull(), 'end of tier first');
  policy.setTier('first', { name: 'first', order: 1, defaultAction: 'Pass' });
  policy.tidy(0);
  t.notMatch(table.takeFull(), 'end of tier first');
});

t.test('a network that two sets have stays with one of them', async (t) => {
  const { table, policy } = create();
  const set = { nets: [Cidr.parse('10.0.0.0/8')], labels: { kind: 'lan' } };
  const selector = "kind == 'lan'";
  policy.setProfile('p', profile('p', [{ action: 'Allow', source: { selector } }], []));
  policy.setLocal('e', local('calie', ['10.0.0.1'], ['p']));
  policy.setNetworkSet('a', { ...set, name: 'a' });
  policy.setNetworkSet('b', { ...set, name: 'b' });
  policy.setNetworkSet('a', undefined);
  t.match(table.takeFull(), '{ ipv4 . 10.0.0.0/8 }');
  policy.setNetworkSet('b', undefined);
  t.notMatch(table.takeFull(), '10.0.0.0/8');
});

t.test('hosts are named while their tunnels pass host endpoints', async (t) => {
  const { table, policy } = create();
  const host = { name: 'h', node: 'n', expectedIPs: [], profiles: [], ports: [], labels: {} };
  policy.setNodeAddresses([at('192.0.2.1')]);
  policy.setHostEndpoint('h', { ...host, interfaceName: 'eth0' }, true);
  t.equal(elements(table, 'nodes4'), '');
  policy.setEncapsulation({ ipip: false, vxlanPort: 4789 });
  t.equal(elements(table, 'nodes4'), '192.0.2.1');
  policy.setEncapsulation({ ipip: false });
  t.equal(elements(table, 'nodes4'), '');
});

t.test('a host endpoint without policies is asked about local traffic only', async (t) => {
  const { table, policy } = create();
  const host = { name: 'h', node: 'n', expectedIPs: [], profiles: [], ports: [], labels: {} };
  policy.setHostEndpoint('h', { ...host, interfaceName: 'eth0' }, true);
  policy.setInterfaces([{ name: 'eth0', addresses: [] }]);
  t.equal(elements(table, 'hep-in'), '"eth0" : goto h-in-h');
  t.equal(elements(table, 'hep-out'), '"eth0" : goto h-out-h');
  for (const gate of ['raw-in', 'before-dnat', 'forward-in', 'forward-out']) {
    t.equal(elements(table, `hep-${gate}`), '', gate);
  }
});

t.test('what is told of a rule that cannot be honoured', async (t) => {
  const { policy } = create();
  const rules = [
    { action: 'Allow', source: { namespaceSelector: 5 } },
    { action: 'Allow', destination: { ports: ['web'] } },
  ];
  policy.setProfile('p', profile('p', rules, []));
  policy.setLocal('e', local('calie', ['10.0.0.1'], ['p']));
  t.same(
    policy.closed().map(({ problems }) => problems),
    [['ingress rule 1 (Allow): namespaceSelector 5']],
    'a name of a port needs no protocol',
  );
});

t.test("Felix's failsafe ports (node-agent §5.6)", async (t) => {
  const shown = (list: typeof defaultFailsafePorts.inbound): string =>
    list.map(({ protocol, port }) => `${protocol} ${port}`).join();
  const both = 'tcp 179,tcp 2379,tcp 2380,tcp 5473,tcp 6443,tcp 6666,tcp 6667';
  t.equal(shown(defaultFailsafePorts.inbound), `tcp 22,${both},udp 68`);
  t.equal(shown(defaultFailsafePorts.outbound), `${both},udp 53,udp 67`);
});

t.test('comments are of a length that nft takes, their ends kept', async (t) => {
  const text = commentText('x'.repeat(200), ' rule 1');
  t.equal(text.length, 100);
  t.ok(text.endsWith('x rule 1'));
});
