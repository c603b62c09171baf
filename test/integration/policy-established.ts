import t from 'tap';
import { Address } from '../../src/model/index.js';
import { packetsOf, putEndpoint } from '../fixtures/agent-host.js';
import { CLIENT, policyWorld, putStored, SERVER } from '../fixtures/policy-world.js';
import { inPrivateNamespace, run } from '../fixtures/private-namespace.js';
import { startStation } from '../fixtures/traffic-probe.js';

const [SERVER4] = SERVER;
const POLICY = '/calico/resources/v3/projectcalico.org/globalnetworkpolicies/p';

await inPrivateNamespace(import.meta.url, () => {
  t.test('a connection ends when policy comes to forbid it, and no other does', async (t) => {
    const { store, host, client, apply } = await policyWorld(t);
    const { station } = client;
    const put = (spec: object): Promise<void> =>
      apply(() => {
        putStored(store, { kind: 'GlobalNetworkPolicy', name: 'p', spec });
      });
    const ended = (): number => host.agent.status().policy.connectionsEnded;
    const server = { selector: "role == 'server'", types: ['Ingress'] };
    const open = async (): Promise<void> => {
      t.ok(await station.open(SERVER4, 80));
      t.ok(await station.speak(5000));
    };

    await t.test('a rule forbids it', async (t) => {
      await open();
      await put({ ...server, ingress: [{ action: 'Allow', protocol: 'TCP' }] });
      t.ok(await station.speak(5000), 'a policy that allows it changes nothing');
      t.equal(ended(), 0);
      const deny = { action: 'Deny', protocol: 'TCP', destination: { ports: [80] } };
      await put({ ...server, ingress: [deny, { action: 'Allow' }] });
      t.equal(ended(), 1);
      const begin = 'not the begin of a connection';
      const before = await packetsOf(host.nft, begin);
      t.notOk(await station.speak(500));
      t.ok((await packetsOf(host.nft, begin)) > before, 'its packets are no beginning');
      await apply(() => store.delete(POLICY));
    });

    await t.test('the direction in which it was begun counts', async (t) => {
      await open();
      const answer = { action: 'Deny', protocol: 'TCP', destination: { ports: [1] } };
      await put({ ...server, types: ['Egress'], egress: [answer] });
      t.equal(ended(), 1, 'what the server may begin is not asked');
      t.ok(await station.speak(5000));
      await apply(() => store.delete(POLICY));
    });

    await t.test('the client is no longer whom the policy allows', async (t) => {
      const allow = { action: 'Allow', source: { selector: "role == 'client'" } };
      await put({ ...server, ingress: [allow] });
      await open();
      const addresses = CLIENT.map((one) => Address.parse(one));
      const relabel = (role: string): Promise<void> =>
        apply(() => {
          putEndpoint(store, { endpoint: 'c', profiles: ['open'], addresses, labels: { role } });
        });
      const before = ended();
      await relabel('guest');
      t.ok(ended() > before, 'and what is left of an earlier one');
      t.notOk(await station.speak(300));
      await relabel('client');
      await apply(() => store.delete(POLICY));
    });

    await t.test('UDP and IPv6', async (t) => {
      const ask = (): Promise<readonly boolean[]> =>
        station.ask(
          SERVER.map((to) => ({ probe: { kind: 'udp' as const, to, port: 53 }, waitMs: 5000 })),
        );
      t.same(await ask(), [true, true]);
      const list = (family: string): string =>
        run('conntrack', '-L', '-f', family, '-p', 'udp', '--orig-port-dst', '53');
      const flows = (): string => list('ipv4') + list('ipv6');
      t.equal(flows().split('dport=53 ').length, 3);
      await put({ ...server, ingress: [{ action: 'Deny', protocol: 'UDP' }, { action: 'Allow' }] });
      t.notMatch(flows(), 'dport=53');
      await apply(() => store.delete(POLICY));
    });

    await t.test('connections of the host to its containers stay', async (t) => {
      run('ip', 'addr', 'add', '198.51.100.7/32', 'dev', 'lo');
      const own = await startStation(t, { path: '/proc/self/ns/net' });
      t.ok(await own.open(SERVER4, 80));
      const before = ended();
      await put({ ...server, ingress: [] });
      t.equal(ended(), before);
      t.ok(await own.speak(5000));
      await apply(() => store.delete(POLICY));
    });
  });
});
