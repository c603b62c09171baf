import t, { type Test } from 'tap';
import {
  bgpObstacle,
  established,
  startBgpLab,
  type BgpHost,
  type BgpLab,
} from '../fixtures/bgp-lab.js';
import { v3 } from '../fixtures/bgp-facts.js';
import { fabricAddress, OUTSIDE_ADDRESS } from '../fixtures/fabric.js';
import { writeInside } from '../fixtures/lab-host.js';
import { until } from '../fixtures/until.js';

const skip = bgpObstacle() ?? false;
const network = { prefix: 'b'.repeat(12), subnet: '10.20.0.0/16' };

t.test('a reflector on a fourth host, then a top-of-rack router', { skip }, async (t) => {
  const lab = await startBgpLab(t, 3);
  const [first] = lab.hosts;
  if (first === undefined) throw new Error('no host');
  await lab.apply(v3('IPPool', 'plain', '{cidr: 10.20.0.0/16}'));
  const addresses: string[] = [];
  for (const [at, host] of lab.hosts.entries()) {
    addresses.push(await host.container(network, `box${at}`));
  }
  for (const host of lab.hosts) await routed(host, 3);
  const clients = [...lab.hosts];

  await t.test('without the mesh the routes vanish', async () => {
    await succeeds(first, ['bgp', 'node-mesh', 'off']);
    for (const host of clients) await routed(host, 0);
  });

  const reflector = await lab.add(4);
  await t.test('with a reflector they return', (t) => reflected(t, lab, reflector, addresses));
  await t.test('what the reflector has', (t) => onTheReflector(t, reflector));
  await t.test('the reflector’s BIRD is killed', (t) =>
    reflectorKilled(t, first, reflector, addresses),
  );
  await t.test('a client behind a top-of-rack router', (t) => topOfRack(t, lab, addresses));
});

async function succeeds(host: BgpHost, args: readonly string[]): Promise<string> {
  const { status, stdout, stderr } = await host.calicoctl(args);
  if (status !== 0) throw new Error(`calicoctl ${args.join(' ')}: ${stderr}`);
  return stdout;
}

async function routed(host: BgpHost, count: number): Promise<void> {
  const enough = async (): Promise<boolean> => (await host.birdRoutes()).length === count;
  await until(enough, `${count} routes on ${host.host.name}`, 30_000);
}

async function reflected(
  t: Test,
  { hosts }: BgpLab,
  reflector: BgpHost,
  addresses: readonly string[],
): Promise<void> {
  // Run on the reflector itself, which is a host without Docker: it names its own node.
  const said = await succeeds(reflector, ['node', 'reflector', '--cluster-id', '1.0.0.1']);
  t.match(said, 'Node node4 is a route reflector with cluster ID 1.0.0.1');
  await established(reflector, 6);
  for (const host of hosts.slice(0, 3)) {
    await established(host, 2);
    t.same(Object.keys(await host.sessions()), [
      'Node_172_16_60_218_port_179',
      'Node_fd60__218_port_179',
    ]);
    await routed(host, 3);
    const blocks = await host.birdRoutes();
    t.notMatch(blocks.join('\n'), fabricAddress(4), 'no data passes through the reflector');
  }
  for (const address of addresses) t.ok(await pings(hosts[0], 'box0', address), address);
  const status = await succeeds(hosts[0] ?? reflector, ['node', 'status']);
  t.match(status, /172\.16\.60\.218 \| node specific \| up /);
}

async function onTheReflector(t: Test, reflector: BgpHost): Promise<void> {
  const shown = await reflector.run('birdc', [
    '-s',
    '/run/calico/bird.ctl',
    'show',
    'route',
    'all',
    'for',
    '10.20.0.0/16',
  ]);
  t.equal(shown.status, 0);
  await routed(reflector, 3);
  t.match((await reflector.birdRoutes()).join('\n'), /10\.20\.\S+\/26 via 172\.16\.60\.215/);
  const contented = async (): Promise<boolean> => (await reflector.status()).decisions.length === 0;
  await until(contented, 'nothing to complain of');
}

async function pings(host: BgpHost | undefined, name: string, address: string): Promise<boolean> {
  const result = await host?.inside(name, 'ping', '-c', '1', '-W', '2', address);
  return result?.status === 0;
}

async function reflectorKilled(
  t: Test,
  first: BgpHost,
  reflector: BgpHost,
  addresses: readonly string[],
): Promise<void> {
  const count = '600';
  const ping = first.inside(
    'box0',
    'ping',
    '-i',
    '0.01',
    '-c',
    count,
    '-W',
    '2',
    '-q',
    addresses[1] ?? '',
  );
  const before = await reflector.birdPid();
  await reflector.host.must('kill', ['-9', String(before)]);
  await until(async () => ![undefined, before].includes(await reflector.birdPid()), 'another BIRD');
  await established(reflector, 6);
  t.match((await ping).stdout, `${count} packets transmitted, ${count} received`);
}

const ROUTER = `router id ${OUTSIDE_ADDRESS};
protocol device { }
protocol direct { ipv4; }
protocol kernel { ipv4 { import none; export where source = RTS_BGP; }; }
${[1, 2, 3]
  .map(
    (index) => `protocol bgp n${index} {
  local ${OUTSIDE_ADDRESS} as 65100;
  neighbor ${fabricAddress(index)} as 64512;
  multihop;
  ipv4 { import all; export where net = 198.51.100.0/24; };
}`,
  )
  .join('\n')}
`;

/** Says who has connected. */
const SERVER = `require('node:net').createServer((s) => s.end(s.remoteAddress)).listen(8080, '0.0.0.0')`;

async function topOfRack(t: Test, lab: BgpLab, addresses: readonly string[]): Promise<void> {
  const [first] = lab.hosts;
  const { outside } = lab.fabric;
  if (first === undefined) throw new Error('no host');
  await outside.must('sh', [
    ...['-e', '-c'],
    `ip netns add client
    ip link add client0 type veth peer name eth0 netns client
    ip addr add 198.51.100.1/24 dev client0
    ip link set client0 up
    ip -n client addr add 198.51.100.7/24 dev eth0
    ip -n client link set eth0 up
    ip -n client route add default via 198.51.100.1`,
  ]);
  await writeInside(outside, '/run/router/bird.conf', ROUTER);
  const files = ['-c', '/run/router/bird.conf', '-s', '/run/router/bird.ctl'];
  await outside.spawn('bird', ['-f', ...files, '-P', '/run/router/bird.pid']);
  await succeeds(first, ['bgp', 'peer', 'add', OUTSIDE_ADDRESS, 'as', '65100']);
  for (const host of lab.hosts.slice(0, 3)) await established(host, 3);
  const routes = async (): Promise<string> =>
    outside.must('ip', ['route', 'show', 'proto', 'bird']);
  await until(async () => (await routes()).split('\n').length > 3, 'the blocks on the router');
  const shown = await routes();
  for (const [at, address] of addresses.entries()) {
    const block = address.replace(/\d+$/, (last) => `${Number(last) & 192}/26`);
    t.match(shown, `${block} via ${fabricAddress(at + 1)} `, 'by its own host, not by another');
  }
  t.notMatch(
    (await first.birdRoutes()).join('\n'),
    '198.51.100',
    'and none of its routes is taken',
  );

  const profile = 'docker-bbbbbbbbbbbb';
  const rules = '{ingress: [{action: Allow}], egress: [{action: Allow}]}';
  await lab.apply(v3('Profile', profile, rules));
  await first.host.spawn('ip', ['netns', 'exec', 'box0', process.execPath, '-e', SERVER]);
  const target = addresses[0] ?? '';
  const client = `require('node:net').connect(8080, '${target}').setTimeout(1000, () => process.exit(1)).pipe(process.stdout)`;
  let seen = '';
  await until(async () => {
    const result = await outside.run('ip', [
      'netns',
      'exec',
      'client',
      process.execPath,
      '-e',
      client,
    ]);
    seen = result.stdout;
    return result.status === 0 && seen !== '';
  }, 'the container to answer the client');
  t.equal(seen, '198.51.100.7', 'the container sees the client’s own address');
}
