import t from 'tap';
import type { HostInsight } from '../../src/admin/index.js';
import { createOverlayStore } from '../../src/cli/overlay-store.js';
import { cliOn } from '../fixtures/cli-run.js';
import { faultOf } from '../fixtures/fault-of.js';
import { createMemoryStore } from '../fixtures/memory-store.js';

const V3 = 'apiVersion: projectcalico.org/v3\n';
const object = (kind: string, metadata: string, spec = '{}'): string =>
  `${V3}kind: ${kind}\nmetadata: ${metadata}\nspec: ${spec}\n`;
const endpoint = (name: string, role: string, address: number): string =>
  object(
    'WorkloadEndpoint',
    `{name: node1-libnetwork-libnetwork-${name}, labels: {role: ${role}}, annotations: {calico-libnetwork/container-name: ${name}}}`,
    `{orchestrator: libnetwork, workload: libnetwork, node: node1, endpoint: ${name}, interfaceName: cali${address}, ipNetworks: [10.20.0.${address}/32], profiles: [open]}`,
  );
const OPEN = object(
  'Profile',
  '{name: open}',
  '{ingress: [{action: Allow}], egress: [{action: Allow}]}',
);
const CLUSTER = [
  object('Node', '{name: node1}', '{bgp: {ipv4Address: 192.0.2.1/24}}'),
  OPEN,
  endpoint('web1', 'web', 1),
  endpoint('web2', 'web', 2),
  endpoint('db1', 'db', 3),
].join('---\n');
const POLICY = object(
  'GlobalNetworkPolicy',
  '{name: db}',
  `{selector: "role == 'db'", ingress: [{action: Allow, protocol: TCP, source: {selector: "role == 'web'"}, destination: {ports: [3306]}}]}`,
);

t.test('apply tells whose verdicts would change, and writes nothing', async (t) => {
  const store = createMemoryStore();
  const cli = cliOn(store);
  t.match(await cli('apply -f -', { stdin: CLUSTER }), { status: 0 });
  const before = store.dump();
  const { status, out, err } = await cli('apply --dry-run -f -', { stdin: POLICY });
  t.same({ status, err }, { status: 0, err: '' });
  t.same(store.dump(), before);
  t.match(out, /^Successfully applied 1 'GlobalNetworkPolicy' resource\(s\) \(dry run\)\n/);
  t.match(out, /\d+ verdicts would change \(tried: .*tcp\/3306.*\)\n/);
  t.match(out, '  allow -> deny  web1 -> db1 tcp/9 and 1 more pairs alike: end of tier default');
  t.match(out, '  allow -> deny  web1 -> db1 icmp and 1 more pairs alike');
  t.match(out, '  allow -> deny  203.0.113.250 -> db1 tcp/3306: end of tier default');
  t.notMatch(out, /web1 -> db1 tcp\/3306/, 'that still passes');
  t.notMatch(out, /db1 -> web1/, 'the other direction stays');
  t.notMatch(out, /node1 -> db1/, 'the own host may always');
});

t.test('delete tells what would pass afterwards', async (t) => {
  const store = createMemoryStore();
  const cli = cliOn(store);
  await cli('apply -f -', { stdin: `${CLUSTER}---\n${POLICY}` });
  const before = store.dump();
  const { status, out } = await cli('delete gnp db --dry-run');
  t.equal(status, 0);
  t.match(out, '  deny -> allow  web1 -> db1 tcp/9 and 1 more pairs alike: profile open, rule 0');
  t.same(store.dump(), before);
  t.match(await cli('delete gnp nope --dry-run'), {
    status: 1,
    out: /no verdict would change/,
    err: /Failed to delete 'GlobalNetworkPolicy' resource: resource does not exist/,
  });
});

t.test('what changes no verdict is told as well', async (t) => {
  const cli = cliOn(createMemoryStore());
  await cli('apply -f -', { stdin: CLUSTER });
  const stdin = object('GlobalNetworkPolicy', '{name: nobody}', '{selector: has(nothing)}');
  t.match(await cli('create --dry-run -f -', { stdin }), { out: /\nno verdict would change \(/ });
  const invalid = object('NetworkPolicy', '{name: p}', '{tier: nope}');
  t.match(await cli('apply --dry-run -f -', { stdin: invalid }), {
    status: 1,
    err: /Tier\(nope\)/,
  });
  const both = `${object('Tier', '{name: new}')}---\n${object('NetworkPolicy', '{name: p}', '{tier: new, selector: "role == \'db\'"}')}`;
  t.match(await cli('apply --dry-run -f -', { stdin: both }), {
    status: 0,
    out: /applied 2 resource.*allow -> deny {2}web1 -> db1/s,
  });
});

t.test(
  'a host endpoint shuts its host, and the flows through it as its policies say',
  async (t) => {
    const cli = cliOn(createMemoryStore());
    await cli('apply -f -', { stdin: CLUSTER });
    const stdin = object('HostEndpoint', '{name: h}', '{node: node1, interfaceName: eth0}');
    const { out } = await cli('apply --dry-run -f -', { stdin });
    t.match(out, '  allow -> deny  203.0.113.250 -> host node1 tcp/9: no policy applies');
    t.notMatch(out, /-> web1/, 'forwarded traffic stays');
  },
);

t.test('live connections of the host that a host endpoint ends', async (t) => {
  const cli = cliOn(createMemoryStore());
  await cli('apply -f -', { stdin: CLUSTER });
  const stdin = object('HostEndpoint', '{name: h}', '{node: node1, interfaceName: eth0}');
  const flow = (source: string, destination: string, destinationPort: number) => ({
    ...{ source, destination, destinationPort, protocol: 6, sourcePort: 40_000 },
  });
  const insight: HostInsight = {
    counters: async () => ({ node: 'node1', dataplane: 'internal' }),
    flows: async () => ({
      ...{ node: 'node1', dataplane: 'internal', isPartial: false },
      hostAddresses: ['127.0.0.1', '192.0.2.1', '192.0.2.65'],
      interfaces: [
        { name: 'lo', addresses: ['127.0.0.1'] },
        { name: 'eth0', addresses: ['192.0.2.1'] },
        { name: 'eth1', addresses: ['192.0.2.65'] },
      ],
      flows: [
        flow('198.51.100.7', '192.0.2.1', 8080),
        flow('192.0.2.1', '198.51.100.7', 443),
        flow('198.51.100.7', '192.0.2.1', 22),
        flow('198.51.100.7', '192.0.2.65', 8080),
        flow('10.20.0.1', '192.0.2.1', 8080),
        flow('192.0.2.1', '10.20.0.1', 8080),
        flow('192.0.2.1', '192.0.2.65', 8080),
        flow('198.51.100.7', '10.20.0.1', 8080),
      ],
    }),
  };
  const { out } = await cli('apply --dry-run -f -', { stdin, insight });
  t.match(out, '2 live connections of node1 would be ended');
  t.match(out, '  tcp 198.51.100.7:40000 > 192.0.2.1:8080 ');
  t.match(out, '  tcp 192.0.2.1:40000 > 198.51.100.7:443 ');
  await cli('apply -f -', { stdin });
  const open = object('Profile', '{name: edge}', '{ingress: [{action: Allow}]}');
  t.match(await cli('apply --dry-run -f -', { stdin: open, insight }), {
    out: /\nno live connections of node1 would be ended/,
  });
});

t.test('labels and profiles of an endpoint change verdicts too', async (t) => {
  const cli = cliOn(createMemoryStore());
  await cli('apply -f -', { stdin: `${CLUSTER}---\n${POLICY}` });
  const relabelled = endpoint('web2', 'db', 2);
  const { out } = await cli('apply --dry-run -f -', { stdin: relabelled });
  t.match(out, '  allow -> deny  web2 -> db1 tcp/3306: end of tier default');
  t.match(out, '  allow -> deny  web1 -> web2 tcp/9: end of tier default');
  t.notMatch(out, /web1 -> db1/);
});

t.test('the copy in which changes are tried', async (t) => {
  const base = createMemoryStore({ entries: { 'a/1': 'one', 'a/2': 'two' } });
  const copy = createOverlayStore(base);
  const entry = await copy.get('a/1');
  const write = { key: 'a/1', value: 'changed' };
  const compare = { key: 'a/1', revision: entry?.revision ?? 0n };
  t.match(await copy.commit({ compares: [compare], writes: [write] }), { committed: true });
  t.match(await copy.commit({ compares: [compare], writes: [write], reads: ['a/1'] }), {
    committed: false,
    current: new Map([['a/1', { value: 'changed' }]]),
  });
  await copy.commit({
    compares: [],
    writes: [
      { key: 'a/2', value: null },
      { key: 'a/0', value: 'new' },
      { key: 'b/0', value: 'elsewhere' },
    ],
  });
  const { entries } = await copy.list('a/');
  t.same(
    entries.map(({ key, value }) => `${key}=${value}`),
    ['a/0=new', 'a/1=changed'],
  );
  t.equal(await copy.get('a/2'), undefined);
  t.equal((await copy.getMany(['a/2', 'a/0'])).get('a/0')?.value, 'new');
  t.match(await copy.commit({ compares: [{ key: 'a/2', revision: 0n }], writes: [] }), {
    committed: true,
  });
  t.same(base.dump(), { 'a/1': 'one', 'a/2': 'two' });
  const watching = { prefixes: [], from: 1n, onChanges: () => undefined, onLost: () => undefined };
  t.match(await faultOf(() => copy.watch(watching)), { kind: 'unsupported' });
});
