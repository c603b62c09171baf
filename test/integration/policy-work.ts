import t, { type Test } from 'tap';
import { Address, type LocalEndpoint } from '../../src/model/index.js';
import { localEndpoint } from '../fixtures/agent-facts.js';
import { putEndpoint } from '../fixtures/agent-host.js';
import { policyWorld, putStored, SERVER, type PolicyWorld } from '../fixtures/policy-world.js';
import { inPrivateNamespace } from '../fixtures/private-namespace.js';
import { traceRules } from '../fixtures/rule-trace.js';
import { until } from '../fixtures/until.js';

const [SERVER4] = SERVER;
const web = {
  action: 'Allow',
  protocol: 'UDP',
  source: { selector: "role == 'client'" },
  destination: { ports: [53] },
};

/** Endpoints of this host without interfaces: only their rules are there. */
function crowd(count: number): LocalEndpoint[] {
  return Array.from({ length: count }, (_, at) => {
    const labels = { role: at % 3 === 0 ? 'crowd' : 'other', app: `app${at % 50}` };
    return localEndpoint(
      `crowd${at}`,
      `calix${at}`,
      1_000_000 + at,
      [`10.21.${at >> 8}.${at & 255}`],
      { labels, profiles: ['open'] },
    );
  });
}

function putServerPolicy({ store }: PolicyWorld): void {
  putStored(store, {
    ...{ kind: 'GlobalNetworkPolicy', name: 'server' },
    spec: { selector: "role == 'server'", types: ['Ingress'], ingress: [web] },
  });
}

/** Rules that the first packet of a connection from the client to the server passes. */
async function traversed(t: Test, count: number, policies: number): Promise<readonly string[]> {
  const world = await policyWorld(t, { restored: crowd(count) });
  const { client, store, host, apply } = world;
  await apply(() => putServerPolicy(world));
  for (let at = 0; at < policies; at += 1) {
    const spec = {
      selector: `app == 'app${at % 50}'`,
      types: ['Ingress', 'Egress'],
      ingress: [web],
      egress: [web],
    };
    putStored(store, { kind: 'GlobalNetworkPolicy', name: `other${at}`, spec });
  }
  await until(() => host.agent.status().state === 'in-sync', 'the policies');
  t.ok(host.agent.status().policy.locals === count + 2);
  t.ok(host.agent.status().policy.ruleChains >= Math.min(policies, count) * 2);
  const match = `ip daddr ${SERVER4} udp dport 53`;
  const probe = { kind: 'udp' as const, to: SERVER4, port: 53 };
  const rules = await traceRules({ match, table: 'calico-libnetwork' }, async () => {
    t.same(await client.station.ask([{ probe, waitMs: 5000 }]), [true]);
  });
  await host.stop();
  return rules.map((rule) =>
    rule.replace(/^([tf]l)-\S+/, '$1').replaceAll(/(goto|jump) [tf]l-\S+/g, '$1'),
  );
}

await inPrivateNamespace(import.meta.url, () => {
  t.test('a packet passes as many rules on a full host as on an empty one', async (t) => {
    let few: readonly string[] = [];
    let many: readonly string[] = [];
    await t.test('two endpoints, one policy', async (t) => (few = await traversed(t, 0, 0)));
    await t.test(
      'a thousand endpoints, 200 policies of others',
      async (t) => (many = await traversed(t, 1000, 200)),
    );
    t.comment(few.join('\n'));
    t.ok(few.length > 5, `${few.length} rules`);
    t.ok(
      few.some((rule) => rule.startsWith('pi-server')),
      'the policy is one of them',
    );
    t.same(many, few);
  });

  t.test(
    'a change of another host that no rule of this one uses costs no kernel call',
    async (t) => {
      const world = await policyWorld(t);
      const { store, host, apply } = world;
      await apply(() => putServerPolicy(world));
      const far = (at: number, labels: Record<string, string>): void => {
        const addresses = [Address.parse(`10.30.0.${at}`)];
        putEndpoint(store, {
          endpoint: `far${at}`,
          node: 'node2',
          profiles: ['elsewhere'],
          addresses,
          labels,
        });
      };
      const seen = host.agent.status().policy.endpoints;
      const calls = (): number => host.writes.length + host.reads.length;
      await until(() => host.agent.status().state === 'in-sync', 'quiet');
      const before = calls();
      for (let at = 1; at <= 50; at += 1) far(at, { role: 'stranger' });
      for (let at = 1; at <= 50; at += 1) far(at, { role: 'guest', tier: String(at) });
      await until(() => host.agent.status().policy.endpoints === seen + 50, 'the endpoints');
      for (let at = 1; at <= 20; at += 1)
        store.delete(
          `/calico/resources/v3/projectcalico.org/workloadendpoints/default/node2-libnetwork-libnetwork-far${at}`,
        );
      await until(() => {
        const { policy, state } = host.agent.status();
        return policy.endpoints === seen + 30 && state === 'in-sync';
      }, 'their end');
      t.equal(calls(), before, 'none');
      await apply(() => far(21, { role: 'client' }));
      t.same(
        host.writes
          .slice(-1)
          .map((write) => /^apply add element inet \S+ s4-\S+ \{ 10.30.0.21 \}/.test(write)),
        [true],
        'one that a rule uses is one element',
      );
    },
  );
});
