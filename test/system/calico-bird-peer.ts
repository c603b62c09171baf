import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import t, { type Test } from 'tap';
import {
  bgpObstacle,
  established,
  linesOf,
  startBgpLab,
  type BgpHost,
} from '../fixtures/bgp-lab.js';
import { v3 } from '../fixtures/bgp-facts.js';
import { fabricAddress } from '../fixtures/fabric.js';
import { writeInside } from '../fixtures/lab-host.js';
import type { LabProcess } from '../fixtures/lab-process.js';
import { olderBird, olderBirdObstacle } from '../fixtures/older-bird.js';
import { until } from '../fixtures/until.js';

const CALICO = join(process.env['PEERS'] ?? '/nonexistent', 'calico');
const skip = bgpObstacle() ?? olderBirdObstacle() ?? false;
const network = { prefix: 'b'.repeat(12), subnet: '10.20.0.0/16' };
/** What confd rendered for node1 names this block, and an address in it. */
const BLOCK = '10.20.1.0/26';
const THEIRS = '10.20.1.5';
const CONFIG = '/etc/calico/confd/config';

t.test('a host of calico-node, and one of ours, in a mesh', { skip }, async (t) => {
  const lab = await startBgpLab(t, 2, { env: { IP6: 'none' } });
  const [theirs, ours] = lab.hosts;
  if (theirs === undefined || ours === undefined) throw new Error('two hosts are needed');
  await lab.apply(v3('IPPool', 'plain', '{cidr: 10.20.0.0/16}'));
  const box = await ours.container(network, 'box');
  await established(ours, 1);
  await withoutOurs(theirs);
  await t.test('calico-node registers the node', (t) => registers(t, theirs));
  let bird = await startTheirs(theirs);
  await established(ours, 1);
  await t.test('each has the other’s block', (t) => blocks(t, { theirs, ours, box }));
  await t.test('their BIRD starts again, and no packet is lost', async (t) => {
    const lost = pingsThrough(t, ours);
    await bird.end('SIGKILL');
    bird = await startTheirs(theirs);
    await established(ours, 1);
    await lost;
  });
  await t.test('ours does', async (t) => {
    const lost = pingsThrough(t, ours);
    const before = await ours.birdPid();
    await ours.host.must('kill', ['-9', String(before)]);
    const another = async (): Promise<boolean> =>
      ![undefined, before].includes(await ours.birdPid());
    await until(another, 'another BIRD');
    await established(ours, 1);
    await lost;
  });
});

/** Ends our daemon and its BIRD, as on a host that is calico-node's. */
async function withoutOurs(host: BgpHost): Promise<void> {
  await host.daemon().stop();
  await host.host.must('kill', ['-9', String(await host.birdPid())]);
  await until(async () => (await host.birdPid()) === undefined, 'our BIRD to be gone');
  await host.host.must('nft', ['flush', 'ruleset']);
  await host.run('ip', ['route', 'flush', 'proto', 'bird']);
}

async function registers(t: Test, { host, calicoctl }: BgpHost): Promise<void> {
  if (!existsSync(CALICO)) {
    t.comment('without PEERS, a folder with the real calico, the Node stays as ours left it');
    return;
  }
  const { status, stderr } = await host.run(CALICO, ['component', 'node', 'startup'], {
    env: {
      ...{ NODENAME: 'node1', IP: `${fabricAddress(1)}/24`, IP6: 'none' },
      ...{ FELIX_IPV6SUPPORT: 'false', CALICO_NETWORKING_BACKEND: 'bird' },
      ...{ NO_DEFAULT_POOLS: 'true', DATASTORE_TYPE: 'etcdv3' },
      ETCD_ENDPOINTS: `http://${fabricAddress(1)}:2379`,
    },
  });
  t.equal(status, 0, 'calico-node’s startup');
  if (status !== 0) t.comment(stderr.slice(-500));
  const node = await calicoctl(['get', 'node', 'node1', '-o', 'yaml']);
  t.match(node.stdout, `ipv4Address: ${fabricAddress(1)}/24`);
}

/**
 * As calico-node starts it, on what its confd rendered; without the third node of that, which is not here: it would be
 * waited for, for minutes.
 */
async function startTheirs({ host }: BgpHost): Promise<LabProcess> {
  for (const name of ['bird.cfg', 'bird_aggr.cfg', 'bird_ipam.cfg']) {
    const url = new URL(`../fixtures/captures/confd/mesh/${name}`, import.meta.url);
    const text = readFileSync(url, 'utf8').replace(/^protocol bgp Mesh_172_16_61_9 [^]*^}$/m, '');
    await writeInside(host, `${CONFIG}/${name}`, text);
  }
  const files = ['-c', `${CONFIG}/bird.cfg`, '-s', '/run/their-bird.ctl'];
  return host.spawn(join(olderBird(), 'bird'), ['-R', '-d', ...files]);
}

interface Both {
  readonly theirs: BgpHost;
  readonly ours: BgpHost;
  readonly box: string;
}

async function blocks(t: Test, { theirs, ours, box }: Both): Promise<void> {
  const lines = [
    'ip netns add box',
    'ip link add cali0123456789a type veth peer name cali0 netns box',
    'ip link set cali0123456789a up',
    'sysctl -qw net.ipv4.ip_forward=1 net.ipv4.conf.cali0123456789a.proxy_arp=1',
    `ip route add ${THEIRS} dev cali0123456789a`,
    'ip -n box link set cali0 up',
    `ip -n box addr add ${THEIRS}/32 dev cali0`,
    'ip -n box route add 169.254.1.1 dev cali0 scope link',
    'ip -n box route add default via 169.254.1.1',
  ];
  await theirs.host.must('sh', ['-e', '-c', lines.join('\n')]);
  const routed = async (host: BgpHost, route: string): Promise<void> =>
    until(
      async () => {
        const routes = linesOf((await host.run('ip', ['route', 'show', 'proto', 'bird'])).stdout);
        return routes.some((line) => line.startsWith(route));
      },
      `${route} on ${host.host.name}`,
      20_000,
    );
  await routed(ours, `${BLOCK} via ${fabricAddress(1)} dev eth0`);
  const own = box.replace(/\d+$/, (last) => `${Number(last) & 192}/26`);
  await routed(theirs, `${own} via ${fabricAddress(2)} dev eth0`);
  const { status, stdout } = await ours.inside('box', 'ping', '-c', '1', '-W', '2', THEIRS);
  t.equal(status, 0, stdout);
  t.match(stdout, 'ttl=62', 'by both hosts');
}

/** To their container, until they have been counted. */
async function pingsThrough(t: Test, ours: BgpHost): Promise<void> {
  const count = ['-i', '0.02', '-c', '400', '-W', '2', '-q'];
  const { stdout } = await ours.inside('box', 'ping', ...count, THEIRS);
  t.match(stdout, '400 packets transmitted, 400 received');
}
