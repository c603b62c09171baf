import t, { type Test } from 'tap';
import {
  blockOf,
  denials,
  left,
  LEFTOVERS,
  placeContainer,
  probesOf,
  startClusterStoreLab,
  type ClusterHost,
  type PlacedContainer,
} from '../fixtures/cluster-store-lab.js';
import { createNetwork, ping } from '../fixtures/containers.js';
import { engineObstacle, IMAGE } from '../fixtures/docker-engine.js';
import { until } from '../fixtures/until.js';

const POOLS = ['17.16.10.0/24', '173.20.19.0/24', '192.10.160.0/24'] as const;
const NETWORKS = ['calico-net1', 'calico-net2', 'calico-net3'] as const;

const v1Pool = (cidr: string, ipip: boolean): string => `apiVersion: v1
kind: ipPool
metadata:
  cidr: ${cidr}
spec:
  ipip:
    enabled: ${ipip}
  nat-outgoing: true
  disabled: false
`;

t.test(
  'three hosts, three pools, three networks of a cluster store',
  { skip: engineObstacle('20.10') ?? false },
  async (t) => {
    const hosts = await startClusterStoreLab(t, 3);
    await t.test('pools and networks are on every host', (t) => poolsAndNetworks(t, hosts));
    const placed = (await Promise.all(hosts.map((host, at) => placeThree(t, host, at)))).flat();
    await t.test('addresses and routes', (t) => routeTables(t, hosts, placed));
    await t.test('node status', (t) => nodeStatus(t, hosts));
    await t.test('by name', (t) => byName(t, placed));
    await t.test('one network talks', (t) => sameNetworkTalks(t, placed));
    await t.test('hosts and containers', (t) => hostsAndContainers(t, hosts, placed));
    await t.test('two networks do not', (t) => otherNetworksDoNot(t, placed));
    await t.test('all of it goes, on one host', (t) => everythingGoes(t, hosts, placed));
    await t.test('three networks on one pool, two hosts', (t) => onePool(t, hosts));
    await t.test('a network with a gateway, removed elsewhere', (t) => givenGateway(t, hosts));
    await t.test('a host is drained, and comes back', (t) => drained(t, hosts));
  },
);

async function placeThree(t: Test, host: ClusterHost, at: number): Promise<PlacedContainer[]> {
  const placed: PlacedContainer[] = [];
  for (const [nth, network] of NETWORKS.entries()) {
    const name = `docker-test${String(at + 1).repeat(nth + 1)}`;
    placed.push(await placeContainer(t, host, name, network));
  }
  return placed;
}

async function poolsAndNetworks(t: Test, hosts: readonly ClusterHost[]): Promise<void> {
  for (const [at, cidr] of POOLS.entries()) {
    const made = await hosts[at]!.calicoctl(['create', '-f', '-'], v1Pool(cidr, at === 0));
    t.equal(made.stdout, "Successfully created 1 'ipPool' resource(s)\n", made.stderr);
  }
  const [one] = hosts;
  if (one === undefined) return;
  // Not every kernel has IPIP: the same pools in VXLAN.
  for (const cidr of POOLS) {
    const name = cidr.replaceAll(/[./]/g, '-');
    const patch = JSON.stringify({ spec: { ipipMode: 'Never', vxlanMode: 'Always' } });
    const patched = await one.calicoctl(['patch', 'ippool', name, '-p', patch]);
    t.equal(patched.status, 0, patched.stderr);
  }
  for (const [at, name] of NETWORKS.entries()) {
    await createNetwork(one, name, '--subnet', POOLS[at] ?? '');
  }
  for (const host of hosts) {
    const pools = (await host.calicoctl(['get', 'ipPool', '-o', 'wide'])).stdout;
    for (const cidr of POOLS) t.match(pools, cidr, `${host.nodeName} shows ${cidr}`);
    const listed = (await host.docker('network', 'ls', '--format', '{{.Name}}')).split('\n');
    t.same(
      listed.filter((name) => name.startsWith('calico')),
      NETWORKS,
      `${host.nodeName} has the networks`,
    );
  }
}

interface Row {
  readonly dst: string;
  readonly dev?: string;
  readonly type?: string;
  readonly gateway?: string;
  readonly protocol: string;
}

async function routesOf(host: ClusterHost): Promise<readonly Row[]> {
  return JSON.parse(await host.host.must('ip', ['-j', '-d', 'route'])) as Row[];
}

async function routeTables(
  t: Test,
  hosts: readonly ClusterHost[],
  placed: readonly PlacedContainer[],
): Promise<void> {
  for (const host of hosts) {
    const own = placed.filter((one) => one.host === host);
    const blocks = new Set(own.map(({ address }) => blockOf(address)));
    const others = new Set(
      placed.filter((one) => one.host !== host).map(({ address }) => blockOf(address)),
    );
    const tunnelled = async (): Promise<readonly string[]> =>
      (await routesOf(host)).filter(({ dev }) => dev === 'vxlan.calico').map(({ dst }) => dst);
    await until(async () => (await tunnelled()).length === 6, `six tunnels of ${host.nodeName}`);
    t.same(new Set(await tunnelled()), others, 'a tunnel to each block of the others');
    const rows = await routesOf(host);
    const nowhere = rows.filter(({ type }) => type === 'blackhole');
    t.same(new Set(nowhere.map(({ dst }) => dst)), blocks, 'its own three lead nowhere');
    t.equal(nowhere.length, 3);
    for (const { address, hostInterface, container } of own) {
      t.match(
        rows.find(({ dst }) => dst === address),
        { dev: hostInterface, protocol: '80' },
        container,
      );
      const shown = await host.docker('exec', container, 'ip', '-4', '-o', 'addr');
      t.match(shown, new RegExp(`cali0 +inet ${address}/32`), 'cali0 has a /32');
    }
  }
  const first = placed.filter(({ address }) => /\.(0|64|128|192)$/.test(address));
  t.ok(first.length > 0, 'the first address of a block is given out');
}

async function nodeStatus(t: Test, hosts: readonly ClusterHost[]): Promise<void> {
  for (const host of hosts) {
    const status = async (): Promise<string> => (await host.calicoctl(['node', 'status'])).stdout;
    const up = async (): Promise<boolean> =>
      [...(await status()).matchAll(/node-to-node mesh *\| up .*Established/g)].length === 2;
    await until(up, `two sessions of ${host.nodeName}`, 30_000);
    const text = await status();
    for (const { address } of hosts.filter((other) => other !== host)) t.match(text, address);
    t.match(text, /IPv6 BGP status\nNo IPv6 peers found\./);
  }
}

async function byName(t: Test, placed: readonly PlacedContainer[]): Promise<void> {
  for (const from of placed) {
    for (const to of placed.filter((one) => one !== from && one.network === from.network)) {
      const name = `${to.container}.${to.network}`;
      const { received, ttl } = await ping(from.host, from.container, name);
      t.same({ received, ttl }, { received: 2, ttl: 62 }, `${from.container} to ${name}`);
    }
  }
  const [from] = placed;
  const other = placed.find(({ network }) => network !== from?.network);
  if (from === undefined || other === undefined) throw new Error('two networks are needed');
  const { text } = await ping(from.host, from.container, `${other.container}.${other.network}`);
  t.match(text, /bad address/, 'a name of another network');
}

async function sameNetworkTalks(t: Test, placed: readonly PlacedContainer[]): Promise<void> {
  for (const from of placed) {
    const others = placed.filter((one) => one !== from && one.network === from.network);
    const asked = others.flatMap(({ address }) => probesOf(address));
    const answers = await from.station.ask(asked.map((probe) => ({ probe, waitMs: 5_000 })));
    t.same(
      answers,
      asked.map(() => true),
      `${from.container}: ICMP, TCP and UDP to its network`,
    );
  }
}

/** Counts what the destination's own rule dropped: one packet of each probe, and nothing passed. */
async function otherNetworksDoNot(t: Test, placed: readonly PlacedContainer[]): Promise<void> {
  for (const from of placed) {
    const others = placed.filter(({ network }) => network !== from.network);
    const before = await Promise.all(others.map(denials));
    const asked = others.flatMap(({ address }) => probesOf(address));
    const answers = await from.station.ask(asked.map((probe) => ({ probe, waitMs: 500 })));
    t.same(
      answers,
      asked.map(() => false),
      `${from.container}: nothing from other networks`,
    );
    const after = await Promise.all(others.map(denials));
    for (const [at, { container }] of others.entries()) {
      t.ok((after[at] ?? 0) >= (before[at] ?? 0) + 3, `denied by the profile of ${container}`);
    }
  }
}

async function hostsAndContainers(
  t: Test,
  hosts: readonly ClusterHost[],
  placed: readonly PlacedContainer[],
): Promise<void> {
  for (const host of hosts) {
    await Promise.all(
      placed.map(async (to) => {
        const own = to.host === host;
        const before = await denials(to);
        const { status } = await host.run('ping', ['-c', '1', '-W', own ? '5' : '1', to.address]);
        t.equal(status === 0, own, `${host.nodeName} to ${to.container}`);
        if (!own) t.equal(await denials(to), before + 1, 'denied by its profile');
      }),
    );
  }
  for (const from of placed) {
    const asked = hosts.map(({ address }) => probesOf(address)[0]!);
    const answers = await from.station.ask(asked.map((probe) => ({ probe, waitMs: 5_000 })));
    t.same(answers, [true, true, true], `${from.container} reaches every host`);
  }
}

/** Networks are removed where they were not made. */
async function everythingGoes(
  t: Test,
  hosts: readonly ClusterHost[],
  placed: readonly PlacedContainer[],
): Promise<void> {
  for (const { host, container } of placed) await host.docker('rm', '-f', container);
  const last = hosts.at(-1)!;
  await last.docker('network', 'rm', ...NETWORKS);
  t.notMatch(await left(last), LEFTOVERS);
}

const ONE_POOL = `- apiVersion: v1
  kind: ipPool
  metadata:
    cidr: 10.20.0.0/24
  spec:
    nat-outgoing: true
    disabled: false
`;

/** Without encapsulation: BIRD's routes. The second host's daemon learns of the networks from the store alone. */
async function onePool(t: Test, [one, two]: readonly ClusterHost[]): Promise<void> {
  if (one === undefined || two === undefined) throw new Error('two hosts are needed');
  t.equal((await one.calicoctl(['create', '-f', '-'], ONE_POOL)).status, 0);
  for (const name of ['net1', 'net2', 'net3']) {
    await createNetwork(one, name, '--subnet', '10.20.0.0/24');
  }
  await two.daemon().kill();
  await two.restartDaemon();
  const a = await placeContainer(t, one, 'workload-A', 'net1');
  const b = await placeContainer(t, one, 'workload-B', 'net2');
  const c = await placeContainer(t, one, 'workload-C', 'net1');
  const d = await placeContainer(t, two, 'workload-D', 'net3');
  const e = await placeContainer(t, two, 'workload-E', 'net1');
  const table = async (): Promise<string> => one.host.must('ip', ['route']);
  await until(async () => (await table()).includes(`${blockOf(e.address)} via`), 'BIRD’s route');
  for (const [to, ttl] of [
    [c, 63],
    [e, 62],
  ] as const) {
    const seen = await ping(one, a.container, `${to.container}.net1`);
    t.match(seen, { received: 2, ttl }, `A reaches ${to.container}`);
  }
  for (const to of [b, d]) {
    const before = await denials(to);
    const asked = probesOf(to.address).map((probe) => ({ probe, waitMs: 500 }));
    t.same(await a.station.ask(asked), [false, false, false], `A does not reach ${to.container}`);
    t.ok((await denials(to)) >= before + 3, 'denied by its profile');
  }
  await two.docker('restart', 'workload-E');
  const again = await ping(one, a.container, 'workload-E.net1');
  t.match(again, { received: 2, ttl: 62 }, 'and after a restart of E');
  for (const { host, container } of [a, b, c, d, e]) await host.docker('rm', '-f', container);
  await two.docker('network', 'rm', 'net1', 'net2', 'net3');
  t.notMatch(await left(two), LEFTOVERS);
}

/** Docker asks for gateway and auxiliary addresses on one host and gives them back on another. */
async function givenGateway(t: Test, [one, two]: readonly ClusterHost[]): Promise<void> {
  if (one === undefined || two === undefined) throw new Error('two hosts are needed');
  const given = ['--gateway', '10.20.0.1', '--aux-address', 'printer=10.20.0.9'];
  await createNetwork(one, 'given', '--subnet', '10.20.0.0/24', ...given);
  t.match(await left(one), /handle\/docker-pool/, 'they are taken');
  const fixed = ['run', '-d', '--rm', '--net', 'given', '--stop-signal', 'SIGKILL'];
  await two.docker(...fixed, '--ip', '10.20.0.77', '--name', 'fixed', IMAGE, 'sleep', '1000');
  const taken = await two.tryDocker(...fixed, '--ip', '10.20.0.9', IMAGE, 'true');
  t.not(taken.status, 0, 'an auxiliary address is nobody’s on any host');
  await two.docker('rm', '-f', 'fixed');
  await two.docker('network', 'rm', 'given');
  t.notMatch(await left(two), LEFTOVERS);
}

async function drained(t: Test, [one, , three]: readonly ClusterHost[]): Promise<void> {
  if (one === undefined || three === undefined) throw new Error('three hosts are needed');
  await createNetwork(one, 'net4', '--subnet', POOLS[0]);
  const run = ['run', '-d', '--net', 'net4', '--stop-signal', 'SIGKILL'];
  await three.docker(...run, '--name', 'last', IMAGE, 'sleep', '1000');
  const drain = ['node', 'drain', three.nodeName];
  const busy = await one.calicoctl(drain);
  t.match(busy, { status: 2, stderr: '1 addresses of node rack1-node3 are in use' });
  const named = async (): Promise<boolean> => (await one.calicoctl(drain)).stderr.includes('last ');
  await until(named, 'the container to be named');
  const refused = await three.tryDocker(...run, IMAGE, 'true');
  t.match(refused.stderr, /rack1-node3 is drained and gives out no addresses/);
  const waiting = one.calicoctl([...drain, '--wait', '60']);
  await three.docker('rm', '-f', 'last');
  t.match(await waiting, { status: 0, stdout: /Node rack1-node3 is empty: \d blocks/ });
  const blocks = (await one.calicoctl(['get', 'node', three.nodeName, '-o', 'yaml'])).stdout;
  t.notMatch(blocks, 'VXLANTunnelAddr');
  const status = async (): Promise<string> => (await one.calicoctl(['node', 'status'])).stdout;
  await until(async () => !/172\.16\.60\.217.*Established/.test(await status()), 'its session');
  t.match((await three.calicoctl(['status'])).stdout, /drained: nothing runs here/);
  t.equal((await three.calicoctl(['node', 'drain', '--undo'])).status, 0);
  await three.docker(...run, '--name', 'again', IMAGE, 'sleep', '1000');
  await until(async () => /172\.16\.60\.217.*Established/.test(await status()), 'it', 20_000);
  await three.docker('rm', '-f', 'again');
  await three.docker('network', 'rm', 'net4');
  t.notMatch(await left(one), LEFTOVERS);
}
