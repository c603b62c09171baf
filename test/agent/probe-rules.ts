import t from 'tap';
import { Policy } from '../../src/agent/policy/index.js';
import { isolateBadRules } from '../../src/agent/probe-rules.js';
import { DesiredTable } from '../../src/agent/table.js';
import { Fault, silentLog } from '../../src/base/index.js';
import type { NetworkPolicy } from '../../src/model/index.js';
import { local, profile } from '../fixtures/agent-facts.js';
import { NftRecorder } from '../fixtures/nft-recorder.js';

const REFUSED = new Fault('invalid', 'Error: no such thing');

function policyOf(name: string): NetworkPolicy {
  return {
    ...{ name, tier: 'default', selector: 'all()', types: ['Ingress'], ingress: [], egress: [] },
    ...{ doNotTrack: false, preDNAT: false, applyOnForward: false, unsupported: [] },
  };
}

t.test('the policies that nft refuses are found by halves, and shut', async (t) => {
  const table = new DesiredTable('t');
  const policy = new Policy(table, { hostReach: 'own' }, () => 0);
  policy.setProfile('p', profile('p', [{ action: 'Allow' }], []));
  for (let at = 0; at < 500; at += 1) policy.setPolicy(`n${at}`, policyOf(`n${at}`));
  policy.setLocal('a', local('calia', ['10.0.0.1'], ['p']));
  const nft = new NftRecorder();
  let checks = 0;
  nft.refuse = (commands) => {
    checks += 1;
    return /chain pi-n(?:7|300) /.test(commands) ? REFUSED : undefined;
  };
  t.equal(await isolateBadRules(nft, policy, silentLog), true);
  t.ok(checks < 60, `${checks} checks`);
  t.same(
    policy.closed().map(({ name, problems }) => [name, problems]),
    ['n300', 'n7'].map((name) => [name, ['nft refused its rules: Error: no such thing']]),
  );
  t.match(table.takeFull(), 'chain pi-n7 {\n    counter drop comment "nft refused its rules');
  t.match(table.takeFull(), 'chain pi-n8 {\n  }');
  policy.setPolicy('n7', { ...policyOf('n7'), ingress: [{ action: 'Allow' }] });
  t.notMatch(JSON.stringify(policy.closed()), '"n7"', 'a change is a new chance');
});

t.test('nothing found: the table is at fault as a whole', async (t) => {
  const policy = new Policy(new DesiredTable('t'), { hostReach: 'own' }, () => 0);
  policy.setLocal('a', local('calia', ['10.0.0.1'], ['p']));
  t.equal(await isolateBadRules(new NftRecorder(), policy, silentLog), false);
});
