import { existsSync } from 'node:fs';
import { join } from 'node:path';
import t, { type Test } from 'tap';
import { fabricAddress } from '../fixtures/fabric.js';
import { capture } from '../fixtures/kernel-view.js';
import { labObstacle, type LabHost } from '../fixtures/lab-host.js';
import { startWorkload } from '../fixtures/lab-workload.js';
import { ipPool, startMeshLab, type MeshHost, type MeshLab } from '../fixtures/mesh-lab.js';
import { until } from '../fixtures/until.js';

const CALICO = join(process.env['PEERS'] ?? '/nonexistent', 'calico');
const skip =
  labObstacle() ?? (existsSync(CALICO) ? false : 'needs PEERS, a folder with the real calico');

t.test('our agent on one host, the real Felix on the other', { skip }, async (t) => {
  const lab = await startMeshLab(t, 2, 0, { IP6: 'none' });
  const [one, other] = lab.hosts;
  if (one === undefined || other === undefined) throw new Error('two hosts are needed');
  await lab.calicoctl(['create', '-f', '-'], ipPool('vx', '10.61.0.0/24', { vxlanMode: 'Always' }));
  await t.test('Felix is found, and told what it needs', (t) => beside(t, lab, other));
  await t.test('containers of both reach each other', (t) => traffic(t, lab));
});

/** Felix ends itself when a first tunnel appears; calico/node has a supervisor. */
async function startFelix(t: Test, host: LabHost): ReturnType<LabHost['spawn']> {
  const script = `while :; do ${CALICO} component felix; sleep 0.2; done`;
  const felix = await host.spawn('sh', ['-c', script], {
    env: {
      ...{ FELIX_DATASTORETYPE: 'etcdv3', FELIX_ETCDENDPOINTS: `http://${fabricAddress(1)}:2379` },
      ...{ DATASTORE_TYPE: 'etcdv3', ETCD_ENDPOINTS: `http://${fabricAddress(1)}:2379` },
      ...{ FELIX_FELIXHOSTNAME: host.name, FELIX_IPV6SUPPORT: 'false', FELIX_BPFENABLED: 'false' },
      ...{ FELIX_XDPENABLED: 'false', FELIX_DebugSkipCTLBCleanup: 'true' },
      ...{ FELIX_USAGEREPORTINGENABLED: 'false', FELIX_HEALTHENABLED: 'true' },
      ...{ FELIX_LOGFILEPATH: 'none', FELIX_LOGSEVERITYSCREEN: 'warning' },
    },
  });
  t.teardown(() => {
    if (!t.passing()) t.comment(felix.log().slice(-4000));
  });
  return felix;
}

async function beside(t: Test, lab: MeshLab, { host }: MeshHost): Promise<void> {
  const tunnel = async (): Promise<boolean> =>
    (await host.run('ip', ['link', 'show', 'vxlan.calico'])).status === 0;
  await until(tunnel, 'our own tunnel');
  await lab.hosts[1]?.daemon.stop();
  const started = await startFelix(t, host);
  const ready = async (): Promise<boolean> =>
    (await host.run('curl', ['-sf', 'localhost:9099/readiness'])).status === 0;
  await until(ready, 'Felix', 20_000);
  await lab.start(1);
  const status = (): Promise<string> => lab.calicoctl(['status'], undefined, 1);
  await until(async () => /external/.test(await status()), 'the choice');
  t.match(await status(), /component felix/, 'auto says whom it found');
  const tables = await host.must('nft', ['list', 'tables']);
  t.notMatch(tables, 'calico-libnetwork', 'our own rules are gone');
  const felix = await lab.calicoctl(['get', 'felixconfig', 'node.node2', '-o', 'yaml']);
  t.match(felix, 'defaultEndpointToHostAction: Return');
  // It starts anew for this setting.
  const again = (): boolean => started.log().includes('config changed');
  await until(again, 'Felix to notice', 20_000);
  await until(ready, 'Felix once more', 20_000);
}

async function traffic(t: Test, lab: MeshLab): Promise<void> {
  const [one, other] = lab.hosts;
  if (one === undefined || other === undefined) throw new Error('two hosts are needed');
  const workload = { id: 'a', network: 'net', subnets: ['10.61.0.0/24'] };
  const here = await startWorkload(one, workload);
  const there = await startWorkload(other, workload);
  t.same([here.mtu, there.mtu], [1450, 1450]);
  await until(async () => (await here.ping(there.address)).status === 0, "ours to Felix's", 20_000);
  t.match((await there.ping(here.address)).stdout, /ttl=62/, "Felix's to ours");
  const lines = await capture(one.host, 'eth0', 'udp port 4789', () => here.ping(there.address));
  t.match(lines.join('\n'), /VXLAN/);
  const route = await other.host.must('ip', ['route', 'get', here.address]);
  t.match(route, 'vxlan.calico');
  const stranger = await startWorkload(one, { ...workload, id: 'b', network: 'other' });
  t.not((await stranger.ping(there.address)).status, 0, "Felix's profile holds for ours");
  t.not((await there.ping(stranger.address)).status, 0, "ours holds for Felix's");
  await there.stop();
}
