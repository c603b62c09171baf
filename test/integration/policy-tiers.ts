import t from 'tap';
import { packetsOf } from '../fixtures/agent-host.js';
import { policyWorld, putStored, SERVER, type Stored } from '../fixtures/policy-world.js';
import { inPrivateNamespace } from '../fixtures/private-namespace.js';
import { until } from '../fixtures/until.js';

const [SERVER4] = SERVER;
const PORTS = [80, 443, 8080];
const ports = (...list: readonly number[]) => ({
  protocol: 'TCP',
  destination: { ports: list },
});
const allow = (...list: readonly number[]) => ({ action: 'Allow', ...ports(...list) });
const deny = (...list: readonly number[]) => ({ action: 'Deny', ...ports(...list) });
const pass = (...list: readonly number[]) => ({ action: 'Pass', ...ports(...list) });
const tier = (name: string, order: number, defaultAction: string): Stored => ({
  ...{ kind: 'Tier', name, spec: { order, defaultAction } },
});
const policy = (name: string, tierName: string, order: number, ...ingress: object[]): Stored => ({
  ...{ kind: 'GlobalNetworkPolicy', name },
  spec: { tier: tierName, order, selector: "role == 'server'", types: ['Ingress'], ingress },
});

const cases: readonly {
  readonly name: string;
  readonly stored: readonly Stored[];
  readonly passes: readonly number[];
  /** Comments of the rules that drop the others. */
  readonly drops?: readonly string[];
  readonly decision?: string;
}[] = [
  {
    name: 'an earlier tier decides',
    stored: [
      tier('early', 1, 'Deny'),
      policy('a', 'early', 1, allow(80)),
      policy('b', 'default', 1),
    ],
    passes: [80],
    drops: ['end of tier early'],
  },
  {
    name: 'Pass goes to the next tier, past later policies of its own',
    stored: [
      ...[tier('early', 1, 'Deny'), policy('a', 'early', 1, pass(80, 443))],
      ...[policy('b', 'early', 2, deny(80)), policy('c', 'default', 1, allow(80))],
    ],
    passes: [80],
    drops: ['end of tier early', 'end of tier default'],
  },
  {
    name: 'a tier that passes at its end',
    stored: [tier('early', 1, 'Pass'), policy('a', 'early', 1, deny(80))],
    passes: [443, 8080],
    drops: ['policy a ingress rule 1'],
  },
  {
    name: 'a tier without order is last',
    stored: [
      { kind: 'Tier', name: 'aaa', spec: {} },
      ...[policy('a', 'aaa', 1, allow(80, 443)), policy('b', 'default', 1, pass(80, 8080))],
    ],
    passes: [80],
    drops: ['end of tier default', 'end of tier aaa'],
  },
  {
    name: 'the order of policies, equals by name',
    stored: [
      ...[policy('z', 'default', 1, allow(80)), policy('b', 'default', 2, deny(80, 443))],
      ...[policy('c', 'default', 2, allow(443, 8080))],
    ],
    passes: [80, 8080],
    drops: ['policy b ingress rule 1'],
  },
  {
    name: 'a tier that does not exist denies, and the status says so',
    stored: [policy('a', 'nowhere', 1, allow(80))],
    passes: [80],
    drops: ['end of tier nowhere'],
    decision: 'tier-missing',
  },
  {
    name: 'kube-baseline passes to the profiles',
    stored: [policy('a', 'kube-baseline', 1, deny(80))],
    passes: [443, 8080],
    drops: ['policy a ingress rule 1'],
  },
];

await inPrivateNamespace(import.meta.url, () => {
  t.test('tiers and orders', async (t) => {
    const { store, host, client, apply } = await policyWorld(t);
    const ask = (expected: readonly number[]): Promise<readonly boolean[]> =>
      client.station.ask(
        PORTS.map((port) => ({
          probe: { kind: 'tcp', to: SERVER4, port },
          waitMs: expected.includes(port) ? 5000 : 300,
        })),
      );
    for (const { name, stored, passes, drops = [], decision } of cases) {
      await t.test(name, async (t) => {
        const keys: string[] = [];
        await apply(() => keys.push(...stored.map((one) => putStored(store, one))));
        const answers = await ask(passes);
        t.same(
          PORTS.filter((_, at) => answers[at]),
          passes,
        );
        for (const comment of drops) t.ok((await packetsOf(host.nft, comment)) > 0, comment);
        const reasons = host.agent.status().decisions.map(({ reason }) => reason);
        t.same(reasons, decision === undefined ? [] : [decision]);
        await apply(() => keys.forEach((key) => store.delete(key)));
      });
    }

    await t.test('while policies come and go, nothing passes that all of them deny', async (t) => {
      const always = policy('always', 'default', 1, deny(443));
      await apply(() => putStored(store, always));
      const attempts = client.namespace.start(
        'bash',
        '-c',
        `while :; do timeout 0.02 bash -c 'echo > /dev/tcp/${SERVER4}/443' 2> /dev/null && echo open; done`,
      );
      let opened = '';
      attempts.stdout?.on('data', (chunk) => (opened += String(chunk)));
      const rule = 'policy always ingress rule 1';
      const before = await packetsOf(host.nft, rule);
      for (let round = 0; round < 60; round += 1) {
        const key = putStored(store, policy('churn', 'default', 2, round % 2 ? allow(80) : REST));
        const other = putStored(store, policy(`p${round % 7}`, 'default', 3, allow(8080)));
        await until(() => host.agent.status().state === 'in-sync', 'rest');
        if (round % 3 === 0) store.delete(key);
        if (round % 4 === 0) store.delete(other);
      }
      await until(async () => (await packetsOf(host.nft, rule)) > before, 'an attempt');
      t.equal(opened, '');
    });
  });
});

const REST = { action: 'Allow' };
