import t, { type Test } from 'tap';
import { isForbidden } from '../../../src/agent/flow-judge.js';
import { Policy } from '../../../src/agent/policy/index.js';
import { DesiredTable } from '../../../src/agent/table.js';
import { Address, type Profile } from '../../../src/model/index.js';
import { networkProfile } from '../../../src/model/v3/index.js';
import { local, profile } from '../../fixtures/agent-facts.js';

const HTTP = { protocol: 'tcp', hostAddress: '', hostPort: 8080, address: '10.0.0.1', port: 80 };
const flow = {
  ...{ source: Address.parse('192.0.2.1'), destination: Address.parse('10.0.0.1') },
  ...{ protocol: 6, sourcePort: 4000, destinationPort: 80 },
  translated: true,
} as const;
const reach = { hostAddresses: new Set<string>(), trusted: new Set<string>() };
const net1 = networkProfile('net1');
const denies = profile('denies', [{ action: 'Deny' }], [{ action: 'Allow' }]);
const silent = profile('silent', [], [{ action: 'Allow' }]);

function publish(profiles: readonly Profile[]): { table: DesiredTable; policy: Policy } {
  const table = new DesiredTable('t');
  const policy = new Policy(table, { hostReach: 'own' }, () => 0);
  for (const one of profiles) policy.setProfile(one.name, one);
  const names = profiles.map(({ name }) => name);
  const endpoint = local('calie', ['10.0.0.1'], names);
  policy.setLocal('e', endpoint);
  policy.setLocal('e', { ...endpoint, published: [HTTP] } as typeof endpoint);
  return { table, policy };
}

/** What rules and the second opinion on connections say; they must agree. */
function isOpen(t: Test, profiles: readonly Profile[]): boolean {
  const { table, policy } = publish(profiles);
  t.same([...(table.sets.get('open4')?.elements.keys() ?? [])], ['10.0.0.1 . tcp . 80']);
  const lists = policy.asked('workload', 'e')?.find(({ direction }) => direction === 'ingress');
  const rules = (lists?.profiles ?? []).flatMap(
    ({ chain }) => table.chains.get(chain)?.rules ?? [],
  );
  const first = rules.find((rule) => /published port|^counter drop|^drop/.test(rule)) ?? '';
  const open = first.includes('published port');
  t.equal(!isForbidden(policy.facts, flow, reach), open, 'both agree');
  return open;
}

t.test('a published port is open by the automatic profile alone', async (t) => {
  t.equal(isOpen(t, [net1]), true);
  t.equal(isOpen(t, [silent]), false, "a user's own profile says who comes in");
  t.equal(isOpen(t, [denies]), false);
  t.equal(isOpen(t, [denies, net1]), false, 'one that denies comes first');
  t.equal(isOpen(t, [silent, net1]), true);
  const edited = { ...net1, ingress: [...net1.ingress, ...denies.ingress] };
  t.equal(isOpen(t, [edited]), false, 'a user has changed the automatic one');
});

t.test('an edited profile shuts what its automatic form left open', async (t) => {
  const { table, policy } = publish([net1]);
  t.match(table.takeFull(), /comment "published port"/);
  policy.setProfile('net1', { ...net1, ingress: denies.ingress });
  t.notMatch(table.takeFull(), /comment "published port"/);
});
