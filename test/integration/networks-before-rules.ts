import t from 'tap';
import { LAYOUT_CHAIN, SHUT } from '../../src/agent/policy/index.js';
import { macOf, startAgent } from '../fixtures/agent-host.js';
import { countPackets } from '../fixtures/packet-count.js';
import { CLIENT, policyWorld, putStored, SERVER, type Stored } from '../fixtures/policy-world.js';
import { inPrivateNamespace } from '../fixtures/private-namespace.js';
import { ipv4, PROTOCOLS, udp } from '../fixtures/raw-frames.js';
import { startSender } from '../fixtures/raw-sender.js';
import { run } from '../fixtures/run-program.js';
import { until } from '../fixtures/until.js';

const PACKETS = 60_000;
const CHANGES = 150;
const LIVES = 15;

const frame = ipv4(
  { from: macOf('c'), to: 'ee:ee:ee:ee:ee:ee' },
  { from: CLIENT[0], to: SERVER[0] },
  PROTOCOLS.udp,
  udp({ from: CLIENT[0], to: SERVER[0] }, { from: 40_000, to: 53 }),
);

const networks = (name: string): Stored => ({
  ...{ kind: 'GlobalNetworkSet', name, labels: { name } },
  spec: { nets: ['10.20.0.0/24', '10.30.0.0/16'] },
});
const denied = (name: string): Stored => ({
  ...{ kind: 'GlobalNetworkPolicy', name: 'guard' },
  spec: {
    ...{ selector: "role == 'server'", types: ['Ingress'], order: 1 },
    ingress: [
      { action: 'Deny', protocol: 'UDP', source: { selector: `name == '${name}'` } },
      { action: 'Allow' },
    ],
  },
});

/**
 * Each change is one of a policy from one set of networks that deny a sender to another such, in two new
 * sets of the kernel. Filled in the transaction of the rules they let in some of the packets nearly every time.
 */
await inPrivateNamespace(import.meta.url, () => {
  t.test('rules take effect when the networks that they name have', async (t) => {
    const world = await policyWorld(t);
    const { store, host, client, server } = world;
    for (const name of ['left', 'right']) putStored(store, networks(name));
    await world.apply(() => putStored(store, denied('left')));
    const passed = countPackets(server.namespace.run, 'passed', 'udp dport 53');
    // Each packet that passes is then one that the rules let pass, and no answer's.
    server.namespace.run('ip', 'route', 'replace', 'blackhole', `${CLIENT[0]}/32`);
    const sender = await startSender(t, client.namespace, 'cali0');
    await sender.flood([frame], PACKETS);
    for (let at = 0; at < CHANGES; at += 1) {
      await world.apply(() => putStored(store, denied(at % 2 === 0 ? 'right' : 'left')));
    }
    t.equal(passed.read(), 0, 'nothing passed while the set changed');
    t.equal(host.agent.status().state, 'in-sync');

    await host.stop();
    const restored = [client.endpoint, server.endpoint];
    for (let at = 0; at < LIVES; at += 1) {
      // As after a crash in the middle: what is there is not what is wanted, and is replaced.
      run('nft', 'add', 'rule', 'inet', 'calico-libnetwork', LAYOUT_CHAIN, 'counter');
      const next = await startAgent(t, store, { restored });
      t.equal(next.agent.status().table.replaced, 1, 'the table is replaced');
      await next.stop();
    }
    t.equal(passed.read(), 0, 'nothing passed while the table was replaced');

    for (const [chain, rule] of SHUT) {
      run('nft', `insert rule inet calico-libnetwork ${chain} ${rule}`);
    }
    const { list } = store;
    store.list = () => new Promise(() => undefined);
    const blind = await startAgent(t, store, { restored, waits: false });
    const rules = run('nft', 'list', 'table', 'inet', 'calico-libnetwork');
    t.notMatch(
      rules,
      'is being replaced',
      'what a life left shut is open before the store answers',
    );
    t.match(rules, 'oifname vmap @to-wl');
    await blind.stop();
    store.list = list;
    t.equal(passed.read(), 0, 'nothing passed meanwhile');
    await startAgent(t, store, { restored });

    store.delete('/calico/resources/v3/projectcalico.org/globalnetworkpolicies/guard');
    await until(() => passed.read() > 0, 'the packets, once they are allowed');
    t.ok((await sender.stop()) > 0, 'they came all the time');
  });
});
