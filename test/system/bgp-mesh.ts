import t, { type Test } from 'tap';
import {
  bgpObstacle,
  established,
  startBgpLab,
  type BgpHost,
  type BgpLab,
} from '../fixtures/bgp-lab.js';
import { fabricAddress } from '../fixtures/fabric.js';
import { until } from '../fixtures/until.js';

const skip = bgpObstacle() ?? false;
const network = { prefix: 'b'.repeat(12), subnet: '10.20.0.0/16' };
const POOLS = `apiVersion: projectcalico.org/v3
kind: IPPool
metadata: {name: plain}
spec: {cidr: 10.20.0.0/16}
---
apiVersion: projectcalico.org/v3
kind: IPPool
metadata: {name: six}
spec: {cidr: "fd00:20::/48"}
`;

t.test('three hosts in a mesh', { skip }, async (t) => {
  const lab = await startBgpLab(t, 3);
  await lab.apply(POOLS);
  await t.test('every session comes up', (t) => meshed(t, lab));
  const addresses: string[] = [];
  for (const [at, host] of lab.hosts.entries()) {
    addresses.push(await host.container(network, `box${at}`));
  }
  await t.test('each host has the blocks of the others', (t) => blocks(t, lab, addresses));
  await t.test('node status shows the sessions', (t) => nodeStatus(t, lab));
  await t.test('a killed BIRD loses no packet', (t) => killedBird(t, lab, addresses));
  await t.test('a restarted daemon finds its BIRD again', (t) =>
    restartedDaemon(t, lab, addresses),
  );
  await t.test('plain routes of the agent take the place of BIRD’s', (t) =>
    plainRoutes(t, lab, addresses),
  );
  await t.test('the mesh goes off and on', (t) => meshOffAndOn(t, lab));
});

async function meshed(t: Test, { hosts }: BgpLab): Promise<void> {
  for (const [at, host] of hosts.entries()) {
    await established(host, 4);
    const others = [1, 2, 3].filter((index) => index !== at + 1);
    const names = others.flatMap((index) => [
      `Mesh_172_16_60_${214 + index}`,
      `Mesh_fd60__${214 + index}`,
    ]);
    t.same(Object.keys(await host.sessions()).sort(), names.sort(), host.host.name);
    t.match((await host.status()).bgp, { state: 'running' });
  }
}

async function nodeStatus(t: Test, { hosts }: BgpLab): Promise<void> {
  const [first] = hosts;
  const { status, stdout } = await asHost(first, ['node', 'status']);
  t.equal(status, 0);
  t.match(stdout, /^Calico process is running\.\n\nIPv4 BGP status\n\+-+/);
  t.match(
    stdout,
    /\| 172\.16\.60\.216 \| node-to-node mesh \| up    \| \d\d:\d\d:\d\d \| Established \|/,
  );
  t.match(stdout, /IPv6 BGP status\n\+[^]*\| fd60::217 +\| node-to-node mesh \| up /);
}

function asHost(host: BgpHost | undefined, args: readonly string[]) {
  if (host === undefined) throw new Error('no such host');
  return host.calicoctl(args);
}

/** Pings every 10 ms while something happens; how many were sent and answered. */
async function whilePinging(
  host: BgpHost,
  address: string,
  count: number,
  action: () => Promise<void>,
): Promise<string> {
  const pings = host.inside(
    'box0',
    'ping',
    '-i',
    '0.01',
    '-c',
    String(count),
    '-W',
    '2',
    '-q',
    address,
  );
  await action();
  const { stdout } = await pings;
  return (
    /(\d+) packets transmitted, (\d+) received/.exec(stdout)?.slice(1, 3).join(' of ') ?? stdout
  );
}

async function killedBird(t: Test, { hosts }: BgpLab, addresses: readonly string[]): Promise<void> {
  const [first, second] = hosts;
  if (first === undefined || second === undefined) throw new Error('no hosts');
  for (const victim of [first, second]) {
    const before = await victim.birdPid();
    const answered = await whilePinging(first, addresses[1] ?? '', 400, async () => {
      await victim.host.must('kill', ['-9', String(before)]);
      await until(async () => {
        const now = await victim.birdPid();
        return now !== undefined && now !== before;
      }, 'another BIRD');
      await established(victim, 4);
    });
    t.equal(answered, '400 of 400', `${victim.host.name}'s BIRD was killed`);
    t.match(victim.daemon().log(), '"recover":true', 'its routes were there still');
  }
}

async function restartedDaemon(
  t: Test,
  { hosts }: BgpLab,
  addresses: readonly string[],
): Promise<void> {
  const [first] = hosts;
  if (first === undefined) throw new Error('no host');
  const before = await first.birdPid();
  const routes = await first.birdRoutes();
  for (const how of ['kill', 'stop'] as const) {
    const answered = await whilePinging(first, addresses[1] ?? '', 300, async () => {
      await first.daemon()[how]();
      t.equal(await first.birdPid(), before, `BIRD survives a ${how} of the daemon`);
      await first.restartDaemon();
      await until(async () => (await first.status()).bgp?.state === 'running', 'BGP to run again');
    });
    t.equal(answered, '300 of 300', 'no ping is lost');
    t.equal(await first.birdPid(), before, 'the same BIRD');
    t.same(await first.birdRoutes(), routes, 'and the same routes');
  }
  // What happens while no daemon is there is made good by the next.
  await first.daemon().stop();
  await first.host.must('kill', ['-9', String(before)]);
  await first.restartDaemon();
  await established(first, 4);
  t.same(await first.birdRoutes(), routes, 'also when BIRD died meanwhile');
}

/** One route to each block, whoever sets it. */
async function plainRoutes(t: Test, lab: BgpLab, addresses: readonly string[]): Promise<void> {
  const [first] = lab.hosts;
  if (first === undefined) throw new Error('no host');
  const shown = async (protocol: string): Promise<number> => {
    const { stdout } = await first.run('ip', ['route', 'show', 'proto', protocol]);
    return stdout.split('\n').filter((line) => /^(?:blackhole )?10\.20\.\S+\/26/.test(line)).length;
  };
  const felix = (routes: string): Promise<void> =>
    lab.apply(
      `apiVersion: projectcalico.org/v3\nkind: FelixConfiguration\nmetadata: {name: default}\nspec: {programClusterRoutes: ${routes}}\n`,
    );
  const answered = await whilePinging(first, addresses[1] ?? '', 300, async () => {
    await felix('EnabledNoEncapOnly');
    await until(async () => (await shown('bird')) === 0 && (await shown('80')) === 3, 'ours alone');
  });
  t.equal(answered, '300 of 300', 'no ping is lost');
  await established(first, 4);
  await felix('EnabledIPIPOnly');
  await until(async () => (await shown('bird')) === 3 && (await shown('80')) === 0, 'BIRD’s alone');
}

async function meshOffAndOn(t: Test, { hosts }: BgpLab): Promise<void> {
  t.equal((await asHost(hosts[0], ['bgp', 'node-mesh', 'off'])).status, 0);
  for (const host of hosts) {
    await until(async () => (await host.birdRoutes()).length === 0, 'the routes to vanish');
    await until(async () => (await host.birdPid()) === undefined, 'BIRD to end');
    const { bgp } = await host.status();
    t.match(bgp, { state: 'off', reason: /no other node and no BGPPeer/ });
  }
  t.equal((await asHost(hosts[0], ['bgp', 'node-mesh', 'on'])).status, 0);
  for (const host of hosts) {
    await established(host, 4);
    await until(async () => (await host.birdRoutes()).length === 3, 'the routes to return');
  }
}

async function blocks(t: Test, { hosts }: BgpLab, addresses: readonly string[]): Promise<void> {
  const own = addresses.map((address) =>
    address.replace(/\d+$/, (last) => `${Number(last) & 192}/26`),
  );
  for (const [at, host] of hosts.entries()) {
    const wanted = own.map((block, index) =>
      index === at ? `blackhole ${block}` : `${block} via ${fabricAddress(index + 1)} dev eth0`,
    );
    await until(async () => {
      const found = await host.birdRoutes();
      return wanted.every((line) => found.some((route) => route.startsWith(line)));
    }, `the blocks on ${host.host.name}`);
    t.equal((await host.birdRoutes()).length, 3, 'and nothing else');
    for (const address of addresses) {
      const { status, stdout } = await host.inside(
        `box${at}`,
        'ping',
        '-c',
        '1',
        '-W',
        '2',
        address,
      );
      t.equal(status, 0, `${addresses[at]} reaches ${address}: ${stdout}`);
    }
  }
}
