import t from 'tap';
import { Policy } from '../../../src/agent/policy/index.js';
import { DesiredTable } from '../../../src/agent/table.js';
import { local, profile } from '../../fixtures/agent-facts.js';
import { busyTable, hostTable, richRules } from '../../fixtures/busy-table.js';

// test/integration/agent-rendered-table.ts feeds the same texts to nft.
for (const hostReach of ['own', 'all'] as const) {
  t.test(`the whole table, hosts reach ${hostReach}`, async (t) => {
    t.matchSnapshot(busyTable(hostReach).takeFull());
  });
}

t.test('a host with host endpoints', async (t) => {
  t.matchSnapshot(hostTable().takeFull());
});

t.test('what is not offered is named', async (t) => {
  const policy = new Policy(new DesiredTable('t'), { hostReach: 'own' }, () => 0);
  policy.setProfile('rich', profile('rich', richRules, []));
  policy.setLocal('a', local('calia', ['10.0.0.1'], ['rich', 'gone']));
  t.matchSnapshot(policy.closed());
});
