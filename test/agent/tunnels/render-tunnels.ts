import t from 'tap';
import { renderTunnels, tunnelOpenings } from '../../../src/agent/tunnels/index.js';
import { Address, Cidr, type TunnelKind } from '../../../src/model/index.js';

const rulesOf = (
  kinds: readonly TunnelKind[],
  addresses: Partial<Record<TunnelKind, string>> = {},
): Record<string, readonly string[]> => {
  const parsed = Object.entries(addresses).map(([kind, text]) => [kind, Address.parse(text)]);
  const { chains } = renderTunnels({
    inUse: new Set(kinds),
    port: 4789,
    addresses: Object.fromEntries(parsed) as Partial<Record<TunnelKind, Address>>,
  });
  return Object.fromEntries(chains.map(({ name, rules }) => [name, rules]));
};

t.test('without tunnels there are no rules: the port may be somebody else’s', async (t) => {
  t.same(Object.values(rulesOf([])).flat(), []);
});

t.test('packets are taken from known hosts only', async (t) => {
  t.same(rulesOf(['vxlan4'])['tunnel-in'], [
    'udp dport 4789 ip saddr @hosts4 meta mark set meta mark | 0x10000 accept',
    'udp dport 4789 meta nfproto ipv4 counter drop comment "VXLAN from an unknown host"',
  ]);
  t.same(rulesOf(['ipip', 'vxlan6'])['tunnel-in'], [
    'udp dport 4789 ip6 saddr @hosts6 meta mark set meta mark | 0x10000 accept',
    'udp dport 4789 meta nfproto ipv6 counter drop comment "VXLAN from an unknown host"',
    'ip protocol 4 ip saddr @hosts4 meta mark set meta mark | 0x10000 accept',
    'ip protocol 4 meta nfproto ipv4 counter drop comment "IP in IP from an unknown host"',
  ]);
});

t.test('and from networks of hosts outside the cluster', async (t) => {
  const { chains } = renderTunnels({
    ...{ inUse: new Set<TunnelKind>(['vxlan4']), port: 8472, addresses: {} },
    outsiders: ['192.0.2.7/32', '198.51.100.0/24', 'fd00::/64'].map((text) => Cidr.parse(text)),
  });
  const { rules } = chains[0]!;
  t.same(rules.slice(1), [
    'udp dport 8472 ip saddr { 192.0.2.7/32, 198.51.100.0/24 } meta mark set meta mark | 0x10000 accept',
    'udp dport 8472 meta nfproto ipv4 counter drop comment "VXLAN from an unknown host"',
  ]);
  t.same(
    chains.find(({ name }) => name === 'tunnel-out')?.rules.at(-1),
    'ip daddr { 192.0.2.7/32, 198.51.100.0/24 } udp dport 8472 notrack',
  );
});

t.test('BGP of known hosts is marked, of others left alone', async (t) => {
  const { chains } = renderTunnels({
    ...{ inUse: new Set<TunnelKind>(), port: 4789, addresses: {} },
    listeners: [{ protocol: 'tcp', port: 1790 }],
  });
  t.same(chains.find(({ name }) => name === 'bgp-in')?.rules, [
    'tcp dport 1790 ip saddr @hosts4 meta mark set meta mark | 0x10000 accept',
    'tcp dport 1790 ip6 saddr @hosts6 meta mark set meta mark | 0x10000 accept',
  ]);
});

t.test('the host’s own firewall is asked to let in what is in use', async (t) => {
  t.same(tunnelOpenings(new Set(['vxlan4', 'ipip']), 8472), {
    4: [
      { match: ['-p', 'udp', '--dport', '8472'], nft: 'udp dport 8472' },
      { match: ['-p', '4'], nft: 'meta l4proto 4' },
    ],
    6: [],
  });
  const bfd = { protocol: 'udp', port: 4784 } as const;
  t.same(tunnelOpenings(new Set(), 4789, [bfd])[6], [
    { match: ['-p', 'udp', '--dport', '4784'], nft: 'udp dport 4784' },
  ]);
});

t.test('what the host sends into a tunnel has its address there', async (t) => {
  const { 'tunnel-post': rules } = rulesOf(['vxlan4', 'ipip', 'vxlan6'], {
    vxlan4: '10.1.0.0',
    ipip: '10.2.0.0',
  });
  t.same(rules, [
    'oifname "tunl0" ip saddr != 10.2.0.0 fib saddr type local counter snat ip to 10.2.0.0 comment "own packets into a tunnel"',
    'oifname "vxlan.calico" ip saddr != 10.1.0.0 fib saddr type local counter snat ip to 10.1.0.0 comment "own packets into a tunnel"',
  ]);
});
