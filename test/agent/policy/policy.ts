import assert from 'node:assert/strict';
import fc from 'fast-check';
import t from 'tap';
import { Policy, type PolicySettings } from '../../../src/agent/policy/index.js';
import { DesiredTable } from '../../../src/agent/table.js';
import { Address } from '../../../src/model/index.js';
import { networkProfile } from '../../../src/model/v3/index.js';
import { local } from '../../fixtures/agent-facts.js';
import {
  history,
  hostInterfaces,
  inOrder,
  outcome,
  retell,
  tell,
} from '../../fixtures/policy-history.js';
import { PolicyOracle, readTable } from '../../fixtures/policy-oracle.js';

/** Histories that are tried; scripts/mutants asks for fewer, many times over. */
const RUNS = Number(process.env['CALICO_TEST_RUNS'] ?? 1000);

function createPolicy(
  now: () => number = () => 0,
  settings: Partial<PolicySettings> = {},
): { table: DesiredTable; policy: Policy } {
  const table = new DesiredTable('t');
  const policy = new Policy(table, { hostReach: 'own', ...settings }, now);
  policy.setInterfaces(hostInterfaces);
  return { table, policy };
}

t.test('containers cannot speak into the tunnels, whatever their port', async (t) => {
  const { table, policy } = createPolicy();
  t.match(table.takeFull(), 'udp dport { 4789 } counter drop comment "VXLAN from a container"');
  policy.setEncapsulation({ ipip: false, vxlanPort: 8472 });
  t.match(
    table.takeDelta(),
    'udp dport { 4789, 8472 } counter drop comment "VXLAN from a container"',
  );
});

t.test('a list that others join takes along only those who are still in it', async (t) => {
  const { table, policy } = createPolicy();
  const name = (at: number): string => `e${at}`;
  for (let at = 0; at < 110; at += 1) {
    const labels = { role: at < 100 ? 'x' : 'y' };
    policy.setLocal(name(at), { ...local(`cali${at}`, [`10.0.0.${at}`], ['net']), labels });
  }
  const put = (id: string, selector: string, action: 'Allow' | 'Deny'): void =>
    policy.setPolicy(id, {
      ...{ name: id, namespace: undefined, tier: 'default', order: 10, selector },
      ...{ namespaceSelector: '', types: ['Ingress'], ingress: [{ action }], egress: [] },
      ...{ doNotTrack: false, preDNAT: false, applyOnForward: false, unsupported: [] },
    } as unknown as Parameters<typeof policy.setPolicy>[1]);
  put('p', "role == 'x'", 'Deny');
  put('p', "role == 'y'", 'Deny');
  put('q', "role == 'x'", 'Allow');
  const [asked] = policy.asked('workload', name(105)) ?? [];
  const denying = asked?.tiers.map(({ chain }) => chain)[0] ?? '';
  const text = table.takeFull();
  const list = /"cali105" : goto (tl-[^ ,}]+)/.exec(text)?.[1] ?? '';
  const rules = text.split(`chain ${list} {`)[1]?.split('\n  }')[0] ?? '';
  t.ok(denying !== '' && rules.includes(`jump ${denying}`), rules);
});

t.test('any order of news ends as if only the end had been told', async (t) => {
  fc.assert(
    fc.property(history, fc.constantFrom(0, 1, 2, 3, 64), (news, mostMoved) => {
      const { table, policy } = createPolicy(() => 0, { mostMoved });
      for (const one of news) {
        tell(policy, one);
        table.takeDelta();
      }
      policy.tidy(0);
      const fresh = new DesiredTable('t');
      retell(fresh, news);
      assert.equal(inOrder(table.takeFull()), inOrder(fresh.takeFull()));
    }),
    { numRuns: RUNS / 2 },
  );
  t.pass('held');
});

t.test('whatever was told, the lists and sets are those of a plain computation', async (t) => {
  let lists = 0;
  let sets = 0;
  fc.assert(
    fc.property(history, fc.constantFrom(0, 1, 64), fc.boolean(), (news, mostMoved, tidied) => {
      const { table, policy } = createPolicy(() => 0, { mostMoved });
      for (const one of news) tell(policy, one);
      if (tidied) policy.tidy(0);
      const oracle = new PolicyOracle(outcome(news));
      const found = readTable(table.takeFull());
      assert.deepEqual(found.lists, oracle.lists());
      lists += Object.values(found.lists).filter((list) => list.length > 1).length;
      for (const { kind, family, comment, elements } of found.sets) {
        const [port = '', selector = ''] = comment.split(' of ');
        const wanted =
          kind === 'ports'
            ? oracle.ports(port, selector, family)
            : oracle.addresses(comment, family, kind);
        assert.deepEqual(elements, wanted, comment);
        if (wanted.length > 0) sets += 1;
      }
    }),
    { numRuns: RUNS },
  );
  t.ok(lists > RUNS / 5, `${lists} lists with policies`);
  t.ok(sets > RUNS / 5, `${sets} sets with members`);
});

t.test(
  'one more endpoint of a known network is a few elements, however many there are',
  async (t) => {
    const { table, policy } = createPolicy();
    policy.setProfile('net1', networkProfile('net1'));
    const add = (at: number): void => {
      const addresses = [`10.0.${at >> 8}.${at & 255}`];
      const facts = {
        labels: {},
        profiles: ['net1'],
        addresses: addresses.map((a) => Address.parse(a)),
      };
      policy.setEndpoint(`e${at}`, facts);
      policy.setLocal(`e${at}`, local(`cali${at}`, addresses, ['net1']));
    };
    for (let at = 0; at < 1000; at += 1) add(at);
    table.takeFull();
    add(1000);
    const delta = table.takeDelta();
    t.match(delta, 'add element inet t from-wl { "cali1000" : goto fl-');
    t.match(delta, 'add element inet t own4 { "cali1000" . 10.0.3.232 }');
    t.equal(delta.split('\n').length, 7, 'two verdicts, link, one source, its ARP, one member');
    policy.setLocal('e1000', undefined);
    policy.setEndpoint('e1000', undefined);
    t.equal(table.takeDelta().split('\n').length, 7);
  },
);

t.test('chains of a network without containers stay until they are tidied', async (t) => {
  let now = 0;
  const { table, policy } = createPolicy(() => now);
  policy.setProfile('net1', networkProfile('net1'));
  policy.setLocal('e', local('calie', ['10.0.0.1'], ['net1']));
  table.takeFull();
  policy.setLocal('e', undefined);
  t.notMatch(table.takeDelta(), 'delete chain');
  now = 59_000;
  policy.tidy(60_000);
  t.equal(table.takeDelta(), '');
  policy.setLocal('f', local('calif', ['10.0.0.2'], ['net1']));
  t.notMatch(table.takeDelta(), 'chain inet', 'the next one finds them');
  policy.setLocal('f', undefined);
  now = 120_000;
  policy.tidy(60_000);
  const delta = table.takeDelta();
  t.match(delta, 'delete chain inet t pri-net1');
  t.match(delta, 'delete set inet t s4-');
  t.ok(delta.lastIndexOf('flush chain') < delta.indexOf('delete chain'));
});

t.test('a policy change is one transaction', async (t) => {
  const { table, policy } = createPolicy();
  policy.setProfile('net1', networkProfile('net1'));
  policy.setLocal('e', local('calie', ['10.0.0.1'], ['net1']));
  table.takeFull();
  policy.setProfile('net1', { ...networkProfile('net1'), ingress: [{ action: 'Deny' }] });
  t.same(
    table
      .takeDelta()
      .split('\n')
      .filter((line) => !line.startsWith(' ')),
    [
      'flush chain inet t pri-net1',
      'table inet t {',
      '}',
      'delete set inet t s4-dmxNq1uG7U174OAEUuueUSANXLRobCQbpUE-yw',
      'delete set inet t s6-dmxNq1uG7U174OAEUuueUSANXLRobCQbpUE-yw',
      '',
    ],
  );
  policy.setProfile('net1', { ...networkProfile('net1'), ingress: [{ action: 'Deny' }] });
  t.equal(table.takeDelta(), '', 'the same again is nothing');
});

t.test('an interface taken over by a newer endpoint stays with it', async (t) => {
  const { table, policy } = createPolicy();
  policy.setLocal('old', local('calix', ['10.0.0.1'], ['p1']));
  policy.setLocal('new', local('calix', ['10.0.0.1'], ['p2']));
  table.takeFull();
  policy.setLocal('old', undefined);
  t.equal(table.takeDelta(), '');
});

t.test('a policy of a great many endpoints rewrites their chain, and moves none', async (t) => {
  const { table, policy } = createPolicy();
  policy.setProfile('net1', networkProfile('net1'));
  for (let at = 0; at < 1000; at += 1) {
    const labels = { role: at % 2 === 0 ? 'web' : 'db' };
    const addresses = [`10.0.${at >> 8}.${at & 255}`];
    policy.setLocal(`e${at}`, local(`cali${at}`, addresses, ['net1'], '', labels));
  }
  const put = (name: string, selector: string | undefined): string => {
    const policies = {
      name,
      tier: 'default',
      types: ['Ingress'],
      ingress: [],
      egress: [],
    } as const;
    const flags = { doNotTrack: false, preDNAT: false, applyOnForward: false, unsupported: [] };
    policy.setPolicy(
      name,
      selector === undefined ? undefined : { ...policies, ...flags, selector },
    );
    return table.takeDelta();
  };
  table.takeFull();
  t.notMatch(put('all', 'all()'), ' element ', 'one that selects all');
  const first = put('some', "role == 'web'");
  t.equal(first.match(/ : goto tl-/g)?.length, 1000, 'half of them get a chain of their own');
  t.notMatch(first, 'from-wl', 'the other direction stays');
  t.equal(policy.counts.lists, 3);
  t.notMatch(put('some', "role == 'db'"), ' element ', 'the two halves change places');
  t.notMatch(put('all', undefined), ' element ');
  t.notMatch(put('some', undefined), ' element ', 'two chains say the same');
  t.equal(policy.counts.lists, 3);
  policy.tidy(0);
  t.equal(table.takeDelta().match(/ : goto tl-/g)?.length, 512, 'and become one by and by');
  policy.tidy(0);
  t.match(table.takeDelta(), 'delete chain inet t tl-');
  t.equal(policy.counts.lists, 2);
});
