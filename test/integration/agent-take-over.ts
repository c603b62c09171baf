import t from 'tap';
import { attach, clusterStore, startAgent, type RunningAgent } from '../fixtures/agent-host.js';
import { putStored } from '../fixtures/policy-world.js';
import { inPrivateNamespace, run } from '../fixtures/private-namespace.js';

const TABLE = 'calico-libnetwork';
const UNCONCERNED = [
  'add table inet others',
  `add chain inet ${TABLE} fl-left-1`,
  `add rule inet ${TABLE} fl-left-1 counter drop`,
  `add set inet ${TABLE} left { type ipv4_addr\n elements = { 192.0.2.1 }\n}`,
  `add chain inet ${TABLE} pri-left`,
  `add rule inet ${TABLE} pri-left ip saddr @left counter goto fl-left-1`,
];

/** Both of our tables, every rule, set and element in one order; names of lists, which lives choose, left out. */
function content(): readonly string[] {
  const text = ['inet', 'arp'].map((family) => run('nft', '-s', 'list', 'table', family, TABLE));
  return text
    .join('\n')
    .replaceAll(/\b([tf]l)-[a-z0-9]+-\d+/g, '$1')
    .split(/\n|, |elements = \{|\}/)
    .map((line) => line.trim().replace(/,$/, ''))
    .filter((line) => line !== '')
    .sort();
}

function nft(...commands: readonly string[]): void {
  for (const command of commands) run('nft', command);
}

/** Handle of the n-th rule of a chain. */
function handle(chain: string, at: number, family = 'inet'): string {
  const listed = run('nft', '-a', 'list', 'chain', family, TABLE, chain);
  return [...listed.matchAll(/^\t\t(?!type).*# handle (\d+)$/gm)][at]?.[1] ?? 'none';
}

/** What another program, or a half-done change, could leave behind while no agent runs. */
const tampered: Readonly<Record<string, () => void>> = {
  'a rule more': () => nft(`add rule inet ${TABLE} wl-on-link accept`),
  'a rule less': () => nft(`delete rule inet ${TABLE} wl-raw handle ${handle('wl-raw', 0)}`),
  'a rule with another verdict': () =>
    nft(
      `replace rule inet ${TABLE} waiting handle ${handle('waiting', 0)} counter accept comment "policies are not known yet"`,
    ),
  'rules in another order': () => {
    nft(`delete rule inet ${TABLE} wl-on-link handle ${handle('wl-on-link', 0)}`);
    nft(`add rule inet ${TABLE} wl-on-link ip6 saddr fe80::/10 accept`);
  },
  'a comment in place of another': () =>
    nft(
      `replace rule inet ${TABLE} waiting handle ${handle('waiting', 0)} counter drop comment "another"`,
    ),
  'a counter less': () =>
    nft(
      `replace rule inet ${TABLE} waiting handle ${handle('waiting', 0)} drop comment "policies are not known yet"`,
    ),
  'another port in a set of a rule': () =>
    nft(
      `replace rule inet ${TABLE} encapsulated handle ${handle('encapsulated', 0)} udp dport { 4788 } counter drop comment "VXLAN from a container"`,
    ),
  'a chain that packets come into': () =>
    nft(`add chain inet ${TABLE} other { type filter hook forward priority 0; policy drop; }`),
  'another policy of a chain': () => nft(`chain inet ${TABLE} f-forward { policy drop; }`),
  'an element more': () => nft(`add element inet ${TABLE} own4 { "calia" . 10.20.0.77 }`),
  'an element less': () => nft(`delete element inet ${TABLE} to-wl { "calia" }`),
  'an element with another chain': () =>
    nft(
      `delete element inet ${TABLE} to-wl { "calia" }`,
      `add element inet ${TABLE} to-wl { "calia" : goto waiting }`,
    ),
  'an endpoint that ends in nothing': () =>
    nft(
      `delete element inet ${TABLE} from-wl { "calia" }`,
      `add element inet ${TABLE} from-wl { "calia" : accept }`,
    ),
  'an object of another kind': () => nft(`add counter inet ${TABLE} mine`),
  'a table asleep': () => nft(`add table inet ${TABLE} { flags dormant; }`),
  'a rule of ARP less': () =>
    nft(`delete rule arp ${TABLE} arp-wl handle ${handle('arp-wl', 3, 'arp')}`),
  'a chain of ARP more': () => nft(`add chain arp ${TABLE} other`),
  'no table of ARP': () => nft(`delete table arp ${TABLE}`),
};

await inPrivateNamespace(import.meta.url, async () => {
  const store = clusterStore({ '10.20.0.0/16': { natOutgoing: true } }, ['net1', 'net2']);
  putStored(store, {
    ...{ kind: 'GlobalNetworkSet', name: 'far', labels: { far: 'yes' } },
    spec: { nets: ['192.0.2.0/24', '198.51.100.7/32', '2001:db8::/32', '0.0.0.0/0'] },
  });
  putStored(store, {
    ...{ kind: 'GlobalNetworkPolicy', name: 'some' },
    spec: {
      ...{ selector: 'all()', order: 10, types: ['Ingress', 'Egress'] },
      ingress: [
        {
          action: 'Deny',
          protocol: 'TCP',
          source: { selector: "far == 'yes'", ports: [1, '5:9'] },
        },
        { action: 'Pass', protocol: 'ICMP', icmp: { type: 8 } },
        { action: 'Allow', protocol: 'UDP', destination: { ports: ['dns'] } },
      ],
      egress: [{ action: 'Allow', destination: { notNets: ['10.0.0.0/8'] } }],
    },
  });
  putStored(store, {
    ...{ kind: 'HostEndpoint', name: 'here' },
    spec: { node: 'node1', interfaceName: 'eth9', expectedIPs: ['192.0.2.9'] },
  });
  const first = await startAgent(t, store);
  const a = await attach(t, first, store, {
    ...{ id: 'a', network: 'net1', addresses: ['10.20.0.1', 'fd00:20::1'] },
  });
  const b = await attach(t, first, store, { id: 'b', network: 'net2', addresses: ['10.20.0.2'] });
  await first.stop();
  const restored = [a.endpoint, b.endpoint];
  const again = (): Promise<RunningAgent> => startAgent(t, store, { restored });

  await t.test('a restart with policies, sets and a host endpoint writes nothing', async (t) => {
    const left = content();
    const host = await again();
    t.same(host.writes, []);
    t.equal(host.agent.status().table.state, 'known');
    t.same(content(), left);
    await host.stop();
  });

  await t.test('what changes afterwards is a difference', async (t) => {
    const host = await again();
    const c = await attach(t, host, store, { id: 'c', network: 'net1', addresses: ['10.20.0.3'] });
    await host.agent.withdraw('c');
    store.delete(c.key);
    t.equal(host.agent.status().table.replaced, 0);
    await host.stop();
  });

  await t.test('whatever is not as wanted, all of it is replaced', async (t) => {
    const intact = content();
    for (const [what, tamper] of Object.entries(tampered)) {
      tamper();
      const host = await again();
      t.equal(host.agent.status().table.replaced, 1, what);
      t.same(content(), intact, what);
      await host.stop();
    }
  });

  await t.test(
    'what an earlier life left and nothing names goes with the next change',
    async (t) => {
      const intact = content();
      nft(...UNCONCERNED);
      const host = await again();
      const d = await attach(t, host, store, {
        id: 'd',
        network: 'net2',
        addresses: ['10.20.0.4'],
      });
      await host.agent.withdraw('d');
      store.delete(d.key);
      t.equal(host.agent.status().table.replaced, 0);
      t.same(content(), intact);
      await host.stop();
    },
  );
});
