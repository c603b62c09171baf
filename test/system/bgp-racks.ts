import t, { type Test } from 'tap';
import {
  bgpObstacle,
  established,
  startBgpLab,
  type BgpHost,
  type BgpLab,
} from '../fixtures/bgp-lab.js';
import { v3 } from '../fixtures/bgp-facts.js';
import { fabricAddress } from '../fixtures/fabric.js';
import { until } from '../fixtures/until.js';

const skip = bgpObstacle() ?? false;
const network = { prefix: 'b'.repeat(12), subnet: '10.20.0.0/16' };
const RACKS = [1, 2, 3];
/** Two reflectors and a client in each rack. */
const CLIENTS = [3, 6, 9];
const REFLECTORS = [1, 2, 4, 5, 7, 8];

t.test(
  'nine nodes in three racks, two reflectors a rack',
  { skip, timeout: 300_000 },
  async (t) => {
    const lab = await startBgpLab(t, 9, { env: { IP6: 'none' } });
    await lab.apply(v3('IPPool', 'plain', '{cidr: 10.20.0.0/16}'));
    await t.test('commands make the reflectors, and no peer is written by hand', (t) =>
      made(t, lab),
    );
    const boxes: string[] = [];
    for (const index of CLIENTS) boxes.push(await at(lab, index).container(network, 'box'));
    await t.test('the clients reach each other, past the reflectors', (t) => past(t, lab, boxes));
    for (const index of REFLECTORS) {
      await t.test(`reflector node${index} is killed`, (t) => killed(t, lab, index, boxes));
    }
    await t.test('a reflector is drained', (t) => drained(t, lab, 2, boxes[1] ?? ''));
  },
);

function at({ hosts }: BgpLab, index: number): BgpHost {
  const host = hosts[index - 1];
  if (host === undefined) throw new Error(`no host ${index}`);
  return host;
}

async function succeeds(host: BgpHost, args: readonly string[]): Promise<string> {
  const { status, stdout, stderr } = await host.calicoctl(args);
  if (status !== 0) throw new Error(`calicoctl ${args.join(' ')}: ${stderr}`);
  return stdout;
}

async function made(t: Test, lab: BgpLab): Promise<void> {
  const first = at(lab, 1);
  for (const rack of RACKS) {
    const members = [rack * 3 - 2, rack * 3 - 1, rack * 3];
    for (const index of members) {
      await succeeds(first, ['label', 'node', `node${index}`, `rack=r${rack}`]);
    }
    for (const index of members.slice(0, 2)) {
      const clients = ['--clients', `rack == 'r${rack}'`];
      await succeeds(first, [
        'node',
        'reflector',
        `node${index}`,
        '--cluster-id',
        `1.0.0.${rack}`,
        ...clients,
      ]);
    }
  }
  await succeeds(first, ['bgp', 'node-mesh', 'off']);
  // The other five reflectors, and the client of the rack.
  for (const index of REFLECTORS) await established(at(lab, index), 6);
  for (const index of CLIENTS) await established(at(lab, index), 2);
  const { decisions } = await at(lab, 3).status();
  t.notMatch(JSON.stringify(decisions), 'bgp-cluster-ids-differ', 'one cluster ID for each client');
}

async function past(t: Test, lab: BgpLab, boxes: readonly string[]): Promise<void> {
  for (const index of CLIENTS) {
    const wanted = CLIENTS.filter((each) => each !== index).map(
      (each) => `via ${fabricAddress(each)} `,
    );
    await until(async () => {
      const routes = (await at(lab, index).birdRoutes()).join('\n');
      return wanted.every((hop) => routes.includes(hop));
    }, `routes to the other clients on node${index}`);
    for (const box of boxes) t.ok(await pings(at(lab, index), box), `node${index} to ${box}`);
  }
  // Longer than the pings; the sender's own interface shows that such a capture sees them.
  const capture = ['3', 'tcpdump', '-p', '-n', '-c', '1', '-i', 'eth0', 'icmp'];
  const seen = (index: number): Promise<string> =>
    at(lab, index)
      .run('timeout', capture)
      .then(({ stdout }) => stdout.trim());
  const captures = Promise.all(REFLECTORS.map(seen));
  const control = seen(3);
  const count = ['-i', '0.01', '-c', '200', '-q'];
  const sending = await at(lab, 3).inside('box', 'ping', ...count, boxes[1] ?? '');
  t.match(sending.stdout, '200 received');
  t.match(await control, 'ICMP echo', 'the sender’s host forwards them');
  t.same(
    await captures,
    REFLECTORS.map(() => ''),
    'no reflector does',
  );
}

async function pings(host: BgpHost, address: string): Promise<boolean> {
  return (await host.inside('box', 'ping', '-c', '1', '-W', '2', address)).status === 0;
}

async function killed(
  t: Test,
  lab: BgpLab,
  index: number,
  boxes: readonly string[],
): Promise<void> {
  const victim = at(lab, index);
  const count = '1000';
  const ping = at(lab, 3).inside(
    'box',
    'ping',
    '-i',
    '0.002',
    '-c',
    count,
    '-W',
    '2',
    '-q',
    boxes[1] ?? '',
  );
  // Its daemon first, which would start BIRD again.
  await victim.daemon().kill();
  await victim.host.must('kill', ['-9', String(await victim.birdPid())]);
  t.match((await ping).stdout, `${count} packets transmitted, ${count} received`);
  for (const box of boxes) t.ok(await pings(at(lab, 9), box), `node9 to ${box} without it`);
  await victim.restartDaemon();
  await established(victim, 6);
}

/** Drained on purpose, its sessions end in order; until that is undone it speaks to nobody. */
async function drained(t: Test, lab: BgpLab, index: number, box: string): Promise<void> {
  const victim = at(lab, index);
  const count = ['-i', '0.002', '-c', '1000', '-W', '2', '-q'];
  const ping = at(lab, 3).inside('box', 'ping', ...count, box);
  await succeeds(at(lab, 1), ['node', 'drain', `node${index}`]);
  await until(async () => (await victim.birdPid()) === undefined, 'its BIRD to end');
  t.match((await ping).stdout, '1000 packets transmitted, 1000 received');
  t.match(await victim.status(), { bgp: { reason: 'this host is drained' } });
  t.same(await victim.birdRoutes(), [], 'it has no routes');
  await succeeds(at(lab, 1), ['node', 'drain', '--undo', `node${index}`]);
  await established(victim, 6);
}
