import t, { type Test } from 'tap';
import { capture } from '../fixtures/kernel-view.js';
import { labObstacle, type LabHost } from '../fixtures/lab-host.js';
import { startWorkload, type Workload } from '../fixtures/lab-workload.js';
import { ipPool, startMeshLab, type MeshHost, type MeshLab } from '../fixtures/mesh-lab.js';
import { until } from '../fixtures/until.js';

interface Scene {
  readonly lab: MeshLab;
  readonly one: MeshHost;
  readonly other: MeshHost;
  /** A container on each. */
  readonly here: Workload;
  readonly there: Workload;
}

t.test('two hosts whose tunnels others disturb', { skip: labObstacle() ?? false }, async (t) => {
  const lab = await startMeshLab(t, 2, 0, { CALICO_LIBNETWORK_PLAIN_ROUTES: 'true' });
  await lab.calicoctl(
    ['create', '-f', '-'],
    ipPool('tunnelled', '10.61.0.0/26', { vxlanMode: 'Always', blockSize: '29' }) +
      ipPool('plain', '10.63.0.0/24', {}),
  );
  const [one, other] = lab.hosts;
  if (one === undefined || other === undefined) throw new Error('two hosts are needed');
  const workload = { id: 'a', network: 'net', subnets: ['10.61.0.0/26'] };
  const here = await startWorkload(one, workload);
  const there = await startWorkload(other, workload);
  const scene: Scene = { lab, one, other, here, there };
  await reaches(here, there.address, 'at the start');
  await t.test('what others take away comes back', (t) => repaired(t, scene));
  await t.test('a restart writes nothing', (t) => quietRestart(t, scene));
  await t.test('a borrowed address', (t) => borrowed(t, scene));
  await t.test('a pool without encapsulation, by the agent', (t) => plain(t, scene));
  await t.test('a route of another program', (t) => foreignRoute(t, scene));
  await t.test('VXLAN from a stranger', (t) => stranger(t, scene));
  await t.test('a host that drops all but SSH', (t) => shut(t, scene));
  await t.test('own packets with another address', (t) => ownPackets(t, scene));
  await t.test('the Node follows the host', (t) => otherAddress(t, scene));
  await t.test('the pool goes, and the tunnel with it', (t) => poolGone(t, scene));
});

async function reaches(from: Workload, address: string, when: string): Promise<void> {
  await until(async () => (await from.ping(address)).status === 0, `${address}, ${when}`);
}

async function repaired(t: Test, { one, here, there }: Scene): Promise<void> {
  const { host } = one;
  const mac = (await host.must('ip', ['-br', 'link', 'show', 'vxlan.calico'])).split(/\s+/)[2];
  for (const [what, command] of [
    ['the device', ['ip', 'link', 'del', 'vxlan.calico']],
    ['its state', ['ip', 'link', 'set', 'vxlan.calico', 'down']],
    ['its MTU', ['ip', 'link', 'set', 'vxlan.calico', 'mtu', '1200']],
    ['its address', ['ip', '-4', 'addr', 'flush', 'dev', 'vxlan.calico']],
    ['its routes', ['ip', 'route', 'flush', 'proto', '80', 'dev', 'vxlan.calico']],
    ['the blackhole', ['ip', 'route', 'flush', 'proto', '80', 'type', 'blackhole']],
  ] as const) {
    const before = await stateOf(host);
    const [program, ...args] = command;
    await host.must(program, args);
    await until(async () => (await stateOf(host)) === before, `${what} as before`);
    await reaches(here, there.address, `after ${what} was taken`);
    t.pass(what);
  }
  const after = (await host.must('ip', ['-br', 'link', 'show', 'vxlan.calico'])).split(/\s+/)[2];
  t.equal(after, mac, 'the same MAC');
}

/** Devices, addresses, routes and entries, without what differs from look to look. */
async function stateOf(host: LabHost): Promise<string> {
  const script =
    'ip -br addr show dev vxlan.calico; ip -o link show dev vxlan.calico | sed "s/^[0-9]*: //"; ip route; ' +
    'ip neigh show dev vxlan.calico nud permanent; bridge fdb show dev vxlan.calico';
  const { stdout } = await host.run('sh', ['-c', script]);
  return stdout
    .split('\n')
    .sort()
    .join('\n')
    .replaceAll(/fe80::\S+/g, '');
}

async function quietRestart(t: Test, scene: Scene): Promise<void> {
  const { lab, one, here, there } = scene;
  const monitor = await one.host.spawn('ip', [
    '-o',
    'monitor',
    'link',
    'address',
    'route',
    'neigh',
  ]);
  await lab.restart(0);
  await until(async () => /in-sync/.test(await lab.calicoctl(['status'])), 'the agent');
  await here.ping(there.address);
  await monitor.end('SIGTERM');
  const changes = monitor
    .log()
    .split('\n')
    // The kernel's own: neighbours that it asks after, link-local addresses that it has checked.
    .filter(
      (line) => line !== '' && !/ (REACHABLE|STALE|DELAY|PROBE|INCOMPLETE)|fe80::/.test(line),
    );
  t.same(changes, []);
}

/** node2 takes an address out of node1's block. */
async function borrowed(t: Test, { lab, one, other, here }: Scene): Promise<void> {
  const block = (await one.host.must('ip', ['route', 'show', 'type', 'blackhole'])).trim();
  const base = /blackhole (\d+\.\d+\.\d+)\.(\d+)\/29/.exec(block);
  const address = `${base?.[1]}.${Number(base?.[2]) + 6}`;
  const lender = { id: 'b', network: 'net', subnets: ['10.61.0.0/26'], address };
  const guest = await startWorkload(lab.hosts[1] ?? other, lender);
  await reaches(here, address, 'borrowed');
  const tunnel = (await other.host.must('ip', ['-br', '-4', 'addr', 'show', 'vxlan.calico'])).split(
    /\s+/,
  )[2];
  const routes = await lab.routes(0);
  t.ok(
    routes.includes(`${address} via ${tunnel?.split('/', 1)[0]} dev vxlan.calico proto 80 onlink`),
    routes.join('\n'),
  );
  const back = await guest.ping(here.address);
  t.match(back.stdout, /ttl=62/);
  await guest.stop();
  const gone = async (): Promise<boolean> =>
    !(await lab.routes(0)).some((line) => line.startsWith(`${address} `));
  await until(gone, 'the end of the route');
}

async function plain(t: Test, { lab, one, other }: Scene): Promise<void> {
  const workload = { id: 'p', network: 'plain', subnets: ['10.63.0.0/24'] };
  const here = await startWorkload(lab.hosts[0] ?? one, workload);
  const there = await startWorkload(other, workload);
  await reaches(here, there.address, 'plain');
  const lines = await capture(one.host, 'eth0', 'icmp', () => here.ping(there.address));
  t.match(lines.join('\n'), `${here.address} > ${there.address}`);
  const routes = (await lab.routes(0)).filter((line) => line.includes('10.63.'));
  t.ok(routes.some((line) => line.startsWith('blackhole 10.63.0.') && line.includes('proto 80')));
  t.ok(routes.some((line) => line.includes(`via ${other.address} dev eth0 proto 80 onlink`)));
  await here.stop();
  await there.stop();
}

async function foreignRoute(t: Test, { lab, one, here, there }: Scene): Promise<void> {
  const route = (await lab.routes(0)).find(
    (line) => line.includes('/29 via') && line.includes('vxlan.calico'),
  );
  const block = route?.split(' ', 1)[0] ?? '';
  const { host } = one;
  // In one step: between the two, ours would come back.
  await host.must('ip', ['route', 'replace', block, 'via', '172.16.60.1', 'proto', 'static']);
  const told = async (): Promise<boolean> => /foreign-route/.test(await lab.calicoctl(['status']));
  await until(told, 'the status to tell');
  t.ok(
    (await lab.routes(0)).some((line) => line.startsWith(`${block} via 172.16.60.1`)),
    'it is left',
  );
  await host.must('ip', ['route', 'del', block, 'proto', 'static']);
  await reaches(here, there.address, 'after it went');
  t.notMatch(await lab.calicoctl(['status']), /foreign-route/);
}

/** The outside machine is no Node: what it sends into the tunnel is dropped. */
async function stranger(t: Test, { lab, one, here }: Scene): Promise<void> {
  const { outside } = lab.fabric;
  const mac =
    (await one.host.must('ip', ['-br', 'link', 'show', 'vxlan.calico'])).split(/\s+/)[2] ?? '';
  const batch = [
    `link add vx type vxlan id 4096 dstport 4789 local 172.16.60.1 nolearning`,
    'link set vx up',
    'addr add 10.61.0.63/32 dev vx',
    `route add ${here.address}/32 dev vx`,
    `neigh add ${here.address} lladdr ${mac} dev vx nud permanent`,
  ];
  await outside.must('ip', ['-batch', '-'], { stdin: `${batch.join('\n')}\n` });
  await outside.must('bridge', ['fdb', 'append', mac, 'dev', 'vx', 'dst', one.address]);
  const seen = await capture(one.host, 'vxlan.calico', 'icmp', () =>
    outside.run('ping', ['-c', '2', '-W', '1', here.address]),
  );
  t.same(seen, [], 'nothing came out of the tunnel');
  const table = await one.host.must('nft', [
    'list',
    'chain',
    'inet',
    'calico-libnetwork',
    'tunnel-in',
  ]);
  t.match(table, /counter packets [1-9]\d* .*VXLAN from an unknown host/);
  await outside.must('ip', ['link', 'del', 'vx']);
}

/** With Docker's and a careful operator's rules; also after they were made anew. */
async function shut(t: Test, { one, here, there }: Scene): Promise<void> {
  const { host } = one;
  const rules =
    '*filter\n:INPUT DROP\n:FORWARD DROP\n:OUTPUT ACCEPT\n-A INPUT -i lo -j ACCEPT\n-A INPUT -p tcp -j ACCEPT\nCOMMIT\n';
  for (const when of ['at first', 'after a reload']) {
    await host.must('iptables-restore', [], { stdin: rules });
    await until(async () => (await here.ping(there.address)).status === 0, `a way in, ${when}`);
    t.ok((await there.ping(here.address)).status === 0, when);
  }
  t.match(await host.must('iptables', ['-S', 'INPUT']), /--dport 4789 -m mark --mark 0x10000/);
  await host.must('iptables', ['-P', 'INPUT', 'ACCEPT']);
  await host.must('iptables', ['-P', 'FORWARD', 'ACCEPT']);
  await host.must('iptables', ['-F']);
}

/** A host process that sends with the node's own address, strict reverse path filter at the other end. */
async function ownPackets(t: Test, { one, other, there }: Scene): Promise<void> {
  await other.host.must('sh', [
    '-c',
    'for f in /proc/sys/net/ipv4/conf/*/rp_filter; do echo 1 >$f; done',
  ]);
  const seen = await capture(other.host, 'vxlan.calico', 'icmp', () =>
    one.host.run('ping', ['-c', '1', '-W', '1', '-I', one.address, there.address]),
  );
  const tunnel = (await one.host.must('ip', ['-br', '-4', 'addr', 'show', 'vxlan.calico'])).split(
    /\s+/,
  )[2];
  t.match(
    seen.join('\n'),
    `${tunnel?.split('/', 1)[0]} > ${there.address}`,
    'the tunnel address is the source',
  );
}

async function otherAddress(t: Test, { lab, one, other, here, there }: Scene): Promise<void> {
  const moved = '172.16.60.99';
  const env = { ...other.daemon.env, IP: 'autodetect' };
  await other.daemon.stop();
  const daemon = await other.daemon.restart({ env });
  t.teardown(() => daemon.stop());
  await reaches(here, there.address, 'after the restart');
  await other.host.must('ip', ['addr', 'del', `${other.address}/24`, 'dev', 'eth0']);
  await other.host.must('ip', ['addr', 'add', `${moved}/24`, 'dev', 'eth0']);
  await other.host.must('ip', ['route', 'replace', 'default', 'via', '172.16.60.1']);
  const stored = async (): Promise<boolean> =>
    (await lab.calicoctl(['get', 'node', 'node2', '-o', 'yaml'])).includes(`${moved}/24`);
  await until(stored, 'the Node to have the new address', 20_000);
  await reaches(here, there.address, 'at the new address');
  const lines = await capture(one.host, 'eth0', 'udp port 4789', () => here.ping(there.address));
  t.match(lines.join('\n'), `> ${moved}.4789`);
}

async function poolGone(t: Test, { lab, one, here }: Scene): Promise<void> {
  await here.stop();
  await lab.calicoctl(['patch', 'ippool', 'tunnelled', '-p', '{"spec":{"vxlanMode":"Never"}}']);
  const gone = async (): Promise<boolean> =>
    (await one.host.run('ip', ['link', 'show', 'vxlan.calico'])).status !== 0;
  await until(gone, 'the device to go');
  const cleared = async (): Promise<boolean> =>
    !(await lab.calicoctl(['get', 'node', 'node1', '-o', 'yaml'])).includes('ipv4VXLANTunnelAddr');
  await until(cleared, 'the Node to lose the address');
  const handle = '/calico/ipam/v2/handle/vxlan-tunnel-addr-node1';
  const left = async (): Promise<string> =>
    one.host.must('etcdctl', ['get', '--keys-only', handle], { env: { ETCDCTL_API: '3' } });
  await until(async () => (await left()).trim() === '', 'its handle to go');
  t.pass();
}
