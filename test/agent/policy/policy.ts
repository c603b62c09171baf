import assert from 'node:assert/strict';
import fc from 'fast-check';
import t from 'tap';
import { Policy } from '../../../src/agent/policy/index.js';
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

function createPolicy(now: () => number = () => 0): { table: DesiredTable; policy: Policy } {
  const table = new DesiredTable('t');
  const policy = new Policy(table, { hostReach: 'own' }, now);
  policy.setInterfaces(hostInterfaces);
  return { table, policy };
}

t.test('any order of news ends as if only the end had been told', async (t) => {
  fc.assert(
    fc.property(history, (news) => {
      const { table, policy } = createPolicy();
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
    fc.property(history, (news) => {
      const { table, policy } = createPolicy();
      for (const one of news) tell(policy, one);
      policy.tidy(0);
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
