import t, { type Test } from 'tap';
import { labObstacle, type LabHost } from '../fixtures/lab-host.js';
import { startWorkload } from '../fixtures/lab-workload.js';
import { ipPool, startMeshLab, type MeshHost, type MeshLab } from '../fixtures/mesh-lab.js';
import { until } from '../fixtures/until.js';

const API = { env: { ETCDCTL_API: '3' } };

t.test('what stands in the way is told', { skip: labObstacle() ?? false }, async (t) => {
  const lab = await startMeshLab(t, 2, 0);
  const [one, other] = lab.hosts;
  if (one === undefined || other === undefined) throw new Error('two hosts are needed');
  await t.test('a kernel without IPIP', (t) => withoutIpip(t, lab, one));
  await t.test('UDP port 4789 of another program', (t) => portTaken(t, lab, one));
  await t.test('two Nodes with one address', (t) => sameAddress(t, lab, other));
  await t.test('a pool that contains the hosts', (t) => coveringPool(t, lab));
  await t.test('a Node that is deleted gives everything back', (t) => deleted(t, lab, one, other));
});

const told = (lab: MeshLab, text: RegExp): Promise<void> =>
  until(async () => text.test(await lab.calicoctl(['status'])), `the status to tell ${text}`);

async function withoutIpip(t: Test, lab: MeshLab, { host }: MeshHost): Promise<void> {
  const module = await host.run('ip', ['link', 'add', 'probe', 'type', 'ipip']);
  if (module.status === 0) {
    t.comment('this kernel has IPIP: nothing to be told');
    return;
  }
  await lab.calicoctl(
    ['create', '-f', '-'],
    ipPool('ipip', '10.64.0.0/24', { ipipMode: 'Always' }),
  );
  await told(lab, /tunl0.*load the module ipip.*vxlanMode/s);
  await lab.calicoctl(['delete', 'ippool', 'ipip']);
  await until(async () => !/tunl0/.test(await lab.calicoctl(['status'])), 'it to be forgotten');
  t.pass();
}

async function portTaken(t: Test, lab: MeshLab, { host }: MeshHost): Promise<void> {
  const socket = await listen(host, 4789);
  await lab.calicoctl(['create', '-f', '-'], ipPool('vx', '10.61.0.0/24', { vxlanMode: 'Always' }));
  await told(lab, /port-taken.*UDP port 4789.*Swarm/s);
  await socket.end('SIGKILL');
  const up = async (): Promise<boolean> =>
    (await host.run('ip', ['link', 'show', 'vxlan.calico'])).status === 0;
  await until(up, 'the device once the port is free', 30_000);
  t.pass();
}

async function listen(host: LabHost, port: number): ReturnType<LabHost['spawn']> {
  const script = `require('dgram').createSocket('udp4').bind(${port}, () => console.log('bound'))`;
  const socket = await host.spawn(process.execPath, ['-e', script]);
  await until(() => socket.log().includes('bound'), 'the socket');
  return socket;
}

async function sameAddress(t: Test, lab: MeshLab, { address }: MeshHost): Promise<void> {
  const twin = `apiVersion: projectcalico.org/v3\nkind: Node\nmetadata:\n  name: twin\nspec:\n  bgp:\n    ipv4Address: ${address}/24\n`;
  await lab.calicoctl(['create', '-f', '-'], twin);
  await told(lab, new RegExp(`address-of-two-nodes.*${address}.*node2, twin`, 's'));
  await lab.calicoctl(['delete', 'node', 'twin']);
  const gone = async (): Promise<boolean> => !/twin/.test(await lab.calicoctl(['status']));
  await until(gone, 'it to be forgotten');
  t.pass();
}

/** Hosts have their blocks already, as when a pool is widened, or when a host moves. */
async function coveringPool(t: Test, lab: MeshLab): Promise<void> {
  const [one, other] = lab.hosts;
  if (one === undefined || other === undefined) throw new Error('two hosts are needed');
  const pool = ipPool('wide', '172.16.0.0/16', { vxlanMode: 'Always' });
  await lab.calicoctl(['create', '-f', '-'], pool);
  const block = other.address.replace(/\.\d+$/, '.192-26');
  const key = `/calico/ipam/v2/host/node2/ipv4/block/${block}`;
  await one.host.must('etcdctl', ['put', key, '{"state":"confirmed","deleted":false}'], API);
  await told(lab, /pool-covers-hosts.*wide.*172\.16\.0\.0\/16 contains the hosts' own/s);
  await told(lab, /covers-host.*172\.16\.60\.192\/26/s);
  for (const { host } of lab.hosts) {
    t.notMatch(await host.must('ip', ['route']), '172.16.60.192/26', `no route on ${host.name}`);
  }
  const { status } = await one.host.run('ping', ['-n', '-c', '1', '-W', '5', other.address]);
  t.equal(status, 0, 'the hosts reach each other');
  await one.host.must('etcdctl', ['del', key], API);
  await lab.calicoctl(['delete', 'ippool', 'wide']);
  await until(async () => !/wide/.test(await lab.calicoctl(['status'])), 'it to be forgotten');
}

async function deleted(t: Test, lab: MeshLab, one: MeshHost, other: MeshHost): Promise<void> {
  const workload = { id: 'a', network: 'net', subnets: ['10.61.0.0/24'] };
  const here = await startWorkload(one, workload);
  const there = await startWorkload(other, workload);
  await until(async () => (await here.ping(there.address)).status === 0, 'the other container');
  await other.daemon.stop();
  const before = await one.host.must('bridge', ['fdb', 'show', 'dev', 'vxlan.calico']);
  t.match(before, other.address);
  await lab.calicoctl(['delete', 'node', 'node2']);
  for (const prefix of ['host/node2', 'handle/vxlan-tunnel-addr-node2', 'handle/docker.node2']) {
    const key = `/calico/ipam/v2/${prefix}`;
    const left = await one.host.must('etcdctl', ['get', '--prefix', '--keys-only', key], API);
    t.equal(left.trim(), '', `nothing left below ${prefix}`);
  }
  const unknown = async (): Promise<boolean> => {
    const entries = await one.host.must('bridge', ['fdb', 'show', 'dev', 'vxlan.calico']);
    const routes = await lab.routes(0);
    return (
      !entries.includes(other.address) &&
      !routes.some((line) => / via .* dev vxlan.calico/.test(line))
    );
  };
  await until(unknown, 'its routes and entries to go');
}
