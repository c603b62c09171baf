import t, { type Test } from 'tap';
import { ipipObstacle } from '../fixtures/ipip-obstacle.js';
import { capture } from '../fixtures/kernel-view.js';
import { labObstacle } from '../fixtures/lab-host.js';
import { startWorkload } from '../fixtures/lab-workload.js';
import { ipPool, startMeshLab } from '../fixtures/mesh-lab.js';
import { until } from '../fixtures/until.js';

/** Software emulation is slow: one pair of hosts. */
const SLOW_MS = 120_000;

t.test('IPIP between two hosts', { skip: labObstacle() ?? ipipObstacle() ?? false }, async (t) => {
  const lab = await startMeshLab(t, 2, 0, { IP6: 'none' });
  const pools = ipPool('ipip', '10.64.0.0/24', { ipipMode: 'Always' });
  await lab.calicoctl(['create', '-f', '-'], pools);
  await traffic(t, lab);
});

async function traffic(t: Test, lab: Awaited<ReturnType<typeof startMeshLab>>): Promise<void> {
  const [one, other] = lab.hosts;
  if (one === undefined || other === undefined) throw new Error('two hosts are needed');
  const workload = { id: 'a', network: 'net', subnets: ['10.64.0.0/24'] };
  const here = await startWorkload(one, workload);
  const there = await startWorkload(other, workload);
  const reached = async (): Promise<boolean> => (await here.ping(there.address)).status === 0;
  await until(reached, 'the other container', SLOW_MS);
  t.match((await here.ping(there.address)).stdout, /ttl=62/);
  t.equal(here.mtu, 1480);
  t.equal((await here.ping(there.address, '-M', 'do', '-s', String(1480 - 28))).status, 0);
  const lines = await capture(one.host, 'eth0', 'ip proto 4', () => here.ping(there.address));
  t.match(
    lines.join('\n'),
    `IP ${one.address} > ${other.address}: IP ${here.address} > ${there.address}`,
  );
  const routes = await lab.routes(0);
  t.ok(
    routes.some((line) => line.endsWith(`via ${other.address} dev tunl0 proto 80 onlink`)),
    routes.join('\n'),
  );
  const tunnel = await one.host.must('ip', ['-br', 'addr', 'show', 'tunl0']);
  t.match(tunnel, /tunl0@NONE\s+UNKNOWN\s+10\.64\.0\.\d+\/32/);
  await one.host.must('ip', ['link', 'set', 'tunl0', 'down']);
  await until(reached, 'the tunnel to come up again', SLOW_MS);
}
