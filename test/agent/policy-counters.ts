import t from 'tap';
import { Policy } from '../../src/agent/policy/index.js';
import {
  nameOf,
  OTHER_POLICIES,
  readCounters,
  readTotals,
} from '../../src/agent/policy-counters.js';
import { DesiredTable } from '../../src/agent/table.js';
import type { NetworkPolicy } from '../../src/model/index.js';
import { local, profile } from '../fixtures/agent-facts.js';
import { NftRecorder } from '../fixtures/nft-recorder.js';
import { hostInterfaces } from '../fixtures/policy-history.js';

const policy = (name: string, more: Partial<NetworkPolicy> = {}): NetworkPolicy => ({
  ...{ name, tier: 'default', selector: 'all()', types: ['Ingress'], egress: [] },
  ...{ ingress: [{ action: 'Allow' }], doNotTrack: false, preDNAT: false, applyOnForward: false },
  ...{ unsupported: [], ...more },
});

function create(): { policy: Policy; table: DesiredTable; nft: NftRecorder } {
  const table = new DesiredTable('t');
  const made = new Policy(table, { hostReach: 'own' }, () => 0);
  made.setInterfaces(hostInterfaces);
  return { policy: made, table, nft: new NftRecorder() };
}

t.test('the chains of an endpoint are those that its packets are sent to', async (t) => {
  const { policy: all, table } = create();
  all.setProfile('p1', profile('p1', [{ action: 'Allow' }], []));
  all.setLocal('e', local('calie', ['10.0.0.1'], ['p1']));
  all.setPolicy('ns/default.a', policy('a', { namespace: 'ns' }));
  all.setPolicy('b', policy('b', { order: 1 }));
  const host = { name: 'h', node: 'here', interfaceName: 'eth0', expectedIPs: [], ports: [] };
  all.setHostEndpoint('h', { ...host, profiles: ['p1'], labels: {} }, true);
  all.setPolicy('raw', policy('raw', { doNotTrack: true, applyOnForward: true }));
  const full = table.takeFull();
  for (const kind of ['workload', 'host'] as const) {
    const lists = all.asked(kind, kind === 'host' ? 'h' : 'e') ?? [];
    t.ok(lists.length >= 2);
    for (const { chain, tiers, profiles } of lists) {
      t.match(full, `  chain ${chain} {\n`);
      t.match(full, ` : goto ${chain}`, 'packets go there');
      const body = full.slice(full.indexOf(`  chain ${chain} {`)).split('\n  }')[0] ?? '';
      for (const one of [...tiers, ...profiles]) t.match(body, `jump ${one.chain}`);
      for (const tier of tiers) {
        const of = full.slice(full.indexOf(`  chain ${tier.chain} {`)).split('\n  }')[0] ?? '';
        for (const one of tier.policies) t.match(of, `jump ${one.chain}\n`);
      }
    }
  }
  t.same(
    all.asked('host', 'h')?.map(({ stage, direction }) => `${stage} ${direction}`),
    ['untracked ingress', 'normal ingress', 'normal egress'],
  );
  t.equal(all.asked('workload', 'nobody'), undefined);
  t.equal(all.asked('host', 'nobody'), undefined);
  t.equal(nameOf(all, 'ns/default.a'), 'ns/a', 'as its user calls it');
});

t.test('counters of one rule add up, whatever nft made of it', async (t) => {
  const { policy: all, nft } = create();
  all.setLocal('e', local('calie', ['10.0.0.1'], []));
  all.setPolicy('b', policy('b'));
  const lists = all.asked('workload', 'e') ?? [];
  const [ingress] = lists;
  const counter = (chain: string, comment: string, packets: number) => ({
    ...{ chain, comment, packets, bytes: packets * 10 },
  });
  nft.counters = [
    counter('pi-b', 'policy b ingress rule 1', 1),
    counter('pi-b', 'policy b ingress rule 3', 2),
    counter('pi-b', 'policy b ingress rule 3', 4),
    counter(ingress?.tiers[0]?.chain ?? '', 'end of tier default', 8),
    counter(ingress?.chain ?? '', 'invalid connection state', 16),
    counter(ingress?.chain ?? '', 'no profile matched', 32),
  ];
  const names = { table: 't', nameOf: (id: string) => id };
  t.match(await readCounters(nft, names, lists), [
    {
      ...{ direction: 'Ingress', denied: { packets: 32, bytes: 320 } },
      tiers: [
        {
          ended: { packets: 8 },
          policies: [{ name: 'b', rules: [{ packets: 1 }, null, { packets: 6, bytes: 60 }] }],
        },
      ],
    },
    { direction: 'Egress', tiers: [], denied: null },
  ]);
});

t.test('series are bounded, and the same ones each time', async (t) => {
  const { policy: all, nft } = create();
  all.setLocal('e', local('calie', ['10.0.0.1'], []));
  const names = Array.from({ length: 203 }, (_, at) => `p${String(at).padStart(3, '0')}`);
  for (const name of names.toReversed()) {
    all.setPolicy(name, policy(name, name === 'p000' ? { unsupported: ['services'] } : {}));
  }
  nft.counters = names.map((name) => ({
    ...{ chain: `pi-${name}`, comment: `policy ${name} ingress rule 1`, packets: 1, bytes: 2 },
  }));
  nft.counters = [
    { chain: 'pi-p000', comment: 'policy p000 cannot be enforced', packets: 5, bytes: 6 },
    ...nft.counters.slice(1),
    { chain: 'waiting', comment: 'policies are not known yet', packets: 9, bytes: 9 },
  ];
  const totals = await readTotals(nft, 't', all);
  t.equal(totals.length, 201);
  t.same(
    totals.find((one) => one.policy === 'p000'),
    {
      ...{ policy: 'p000', direction: 'ingress', action: 'deny', packets: 5, bytes: 6 },
    },
  );
  t.match(
    totals.find((one) => one.policy === OTHER_POLICIES),
    { packets: 3, bytes: 6, action: 'allow' },
  );
});
