import t, { type Test } from 'tap';
import { capture } from '../fixtures/kernel-view.js';
import { labObstacle } from '../fixtures/lab-host.js';
import { startWorkload, type Workload } from '../fixtures/lab-workload.js';
import {
  droppedByUnderlay,
  guardUnderlay,
  ipPool,
  startMeshLab,
  type MeshLab,
} from '../fixtures/mesh-lab.js';
import { until } from '../fixtures/until.js';

const ALWAYS = ['10.61.0.0/16', 'fd61::/48'];
const CROSS = ['10.62.0.0/16', 'fd62::/48'];

t.test('containers of three hosts, two subnets', { skip: labObstacle() ?? false }, async (t) => {
  const lab = await startMeshLab(t, 2, 1);
  await lab.calicoctl(
    ['create', '-f', '-'],
    ipPool('always', '10.61.0.0/16', { vxlanMode: 'Always', natOutgoing: 'true' }) +
      ipPool('always6', 'fd61::/48', { vxlanMode: 'Always' }) +
      ipPool('cross', '10.62.0.0/16', { vxlanMode: 'CrossSubnet' }) +
      ipPool('cross6', 'fd62::/48', { vxlanMode: 'CrossSubnet' }),
  );
  await guardUnderlay(lab, ALWAYS);
  await t.test('VXLAN', (t) => everyPair(t, lab, 'vxlan', ALWAYS, true));
  await t.test('VXLAN across subnets', (t) => everyPair(t, lab, 'cross', CROSS, false));
  await t.test('the first ping', (t) => firstPing(t, lab));
  t.equal(await droppedByUnderlay(lab), 0, 'no inner address was on the wire');
});

async function everyPair(
  t: Test,
  lab: MeshLab,
  network: string,
  subnets: readonly string[],
  always: boolean,
): Promise<void> {
  const id = network.slice(0, 1);
  const workloads: Workload[] = [];
  for (const host of lab.hosts) workloads.push(await startWorkload(host, { id, network, subnets }));
  for (const [from, one] of workloads.entries()) {
    for (const [to, other] of workloads.entries()) {
      if (from >= to) continue;
      for (const [family, address] of [
        ['IPv4', other.address],
        ['IPv6', other.address6],
      ] as const) {
        const what = `${family} node${from + 1} to node${to + 1}`;
        const a = lab.hosts[from];
        const b = lab.hosts[to];
        if (a === undefined || b === undefined) throw new Error('no such host');
        await until(async () => (await one.ping(address)).status === 0, what);
        const answer = await one.ping(address);
        t.match(answer.stdout, /ttl=62/, `${what}: two hops, the hosts`);
        const lines = await capture(a.host, 'eth0', 'udp port 4789 or icmp or icmp6', () =>
          one.ping(address),
        );
        const outer =
          family === 'IPv4' ? `${a.address}.* > ${b.address}` : `${a.address6}.* > ${b.address6}`;
        const tunnelled = lines.some(
          (line) => line.includes('VXLAN') && new RegExp(outer).test(line),
        );
        t.equal(
          tunnelled,
          always || a.far !== b.far,
          `${what}: ${always || a.far !== b.far ? 'in VXLAN' : 'as it is'}`,
        );
      }
    }
  }
  for (const workload of workloads)
    t.equal(workload.mtu, 1430, 'the smallest of the tunnels in use');
  const [first, second] = workloads;
  const [a, b] = lab.hosts;
  if (first === undefined || second === undefined || a === undefined || b === undefined) {
    throw new Error('two hosts are needed');
  }
  const device = always ? 'vxlan.calico' : 'eth0';
  const arrived = await capture(b.host, device, 'icmp', () => first.ping(second.address));
  t.match(
    arrived.join('\n'),
    `${first.address} > ${second.address}`,
    'its own source: no NAT between',
  );
  const full = await first.ping(second.address, '-M', 'do', '-s', String(1430 - 28));
  t.equal(full?.status, 0, 'a full packet passes');
  for (const workload of workloads) await workload.stop();
}

/** Containers that have just started on another host. */
async function firstPing(t: Test, lab: MeshLab): Promise<void> {
  const [one, other] = lab.hosts;
  if (one === undefined || other === undefined) throw new Error('two hosts are needed');
  const workload = { network: 'first', subnets: ['10.61.0.0/16'] };
  const here = await startWorkload(one, { ...workload, id: '1' });
  const lost: string[] = [];
  for (const id of 'abcdefghijklmnopqrstuvwxy') {
    const there = await startWorkload(other, { ...workload, id });
    if ((await here.ping(there.address, '-W', '1')).status !== 0) lost.push(there.address);
  }
  t.same(lost, [], 'each answered the first');
}
