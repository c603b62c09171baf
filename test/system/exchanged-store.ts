import { rmSync } from 'node:fs';
import { join } from 'node:path';
import t, { type Test } from 'tap';
import { ETCD_ENVIRONMENT, startCalicoHost, type CalicoHost } from '../fixtures/calico-host.js';
import {
  createNetwork,
  reaches,
  runContainer,
  startPing,
  type Attachment,
  type SteadyPing,
} from '../fixtures/containers.js';
import { engineObstacle, IMAGE } from '../fixtures/docker-engine.js';
import { exchangeableEtcd, type ExchangeableEtcd } from '../fixtures/etcd-exchange.js';
import { startLabHost } from '../fixtures/lab-host.js';
import { createNetwork as pluginNetwork, MAC, release, request } from '../fixtures/plugin-calls.js';
import { startPluginDaemon } from '../fixtures/plugin-daemon.js';
import { allocations, dumpStore, endpoints, settled } from '../fixtures/store-view.js';
import { until } from '../fixtures/until.js';

/**
 * What an operator does to etcd while containers run: none of them loses a ping or its address, nobody else gets one of
 * those addresses, and what has to be refused meanwhile says why.
 */
const skip = engineObstacle('20.10') ?? false;

t.test('etcd is exchanged under running containers', { skip }, async (t) => {
  const scene = await startScene(t);
  const { host, etcd } = scene;
  await createNetwork(host, 'net1');
  const web = await runContainer(host, 'web', 'net1');
  const db = await runContainer(host, 'db', 'net1');
  // A network's name may be learnt a moment after its first containers.
  await until(() => reaches(host, 'web', db.address), 'the first answer');
  scene.pings.push(await startPing(host, 'web', db.address));
  const snapshot = await etcd.save();
  const late = [await lateContainer(scene, 'late'), web, db];

  await t.test('restored from an older snapshot', async (t) => {
    const racing = ['race1', 'race2', 'race3'].map((name) => tryRun(host, name));
    await etcd.restore(snapshot);
    await noticed(t, scene, 'went-back');
    for (const { status, stderr } of await Promise.all(racing))
      if (status !== 0) t.match(stderr, /datastore was exchanged|etcd/, 'a start in between');
    await host.tryDocker('rm', '-f', 'race1', 'race2', 'race3');
    await everythingBack(t, scene, late);
  });
  await t.test('restored once more, while the daemon is down', async (t) => {
    const before = await etcd.save();
    late.push(await lateContainer(scene, 'more'));
    await host.daemon().kill();
    await etcd.restore(before);
    await etcd.overtake();
    await host.restartDaemon();
    await noticed(t, scene, 'went-back');
    await everythingBack(t, scene, late);
  });
  await t.test('another host took an address', (t) => takenByAnother(t, scene));
  await t.test('emptied', async (t) => {
    await etcd.etcdctl('del', '--prefix', '/calico/');
    await waits(host, /has no pool for addresses of running containers/);
    t.notMatch([...(await dumpStore(host)).keys()].join(' '), 'ippools', 'and none is made up');
    await applied(host, 'default', '192.168.0.0/16');
    // Since it was refused, the epoch that it began then is what it finds.
    const { addresses } = await exchangedStatus(host, 'told');
    t.match(
      addresses,
      /containers on node2 are not claimed again yet/,
      'it is gone, and not known to be',
    );
    t.match((await tryRun(host, 'never')).stderr, /calicoctl delete node NAME/);
    await host.docker('rm', '-f', 'never');
    t.equal((await host.calicoctl(['delete', 'node', 'node2'])).status, 0);
    await noticed(t, scene, 'told');
    await everythingBack(t, scene, late);
  });
  await t.test('another cluster', (t) => anotherCluster(t, scene, late));
  for (const { answered, lost } of await Promise.all(scene.pings.map((one) => one.stop()))) {
    t.same(lost, [], `no request of ${answered} was lost all the while`);
    t.ok(answered > 100, 'all the time');
  }
});

interface Scene {
  readonly host: CalicoHost;
  readonly etcd: ExchangeableEtcd;
  readonly pings: SteadyPing[];
}

async function startScene(t: Test): Promise<Scene> {
  const host = await startCalicoHost(t, {
    daemon: {
      env: { ...ETCD_ENVIRONMENT, CALICO_LIBNETWORK_CALL_TIMEOUT_MS: '4000' },
      wait: false,
    },
  });
  const etcd = await exchangeableEtcd(host);
  return { host: { ...host, store: 'etcd' }, etcd, pings: [] };
}

/** A network and a container on it of which a snapshot taken before knows nothing. */
async function lateContainer({ host, pings }: Scene, name: string): Promise<Attachment> {
  await createNetwork(host, `net-${name}`);
  const [one, two] = [
    await runContainer(host, name, `net-${name}`),
    await runContainer(host, `${name}-peer`, `net-${name}`),
  ];
  await until(() => reaches(host, `${name}-peer`, one.address), 'the first answer');
  pings.push(await startPing(host, `${name}-peer`, one.address));
  return two;
}

async function status(host: CalicoHost): Promise<Record<string, unknown>> {
  const { stdout } = await host.calicoctl(['status', '-o', 'json']);
  return stdout === '' ? {} : (JSON.parse(stdout) as Record<string, unknown>);
}

interface Told {
  readonly addresses: string;
  readonly addressConflicts?: readonly { readonly [member: string]: string }[];
}

/** What the daemon says once it is at work on the other datastore. */
async function exchangedStatus(host: CalicoHost, how: string): Promise<Told> {
  let found: Record<string, unknown> = {};
  await until(
    async () => {
      found = await status(host);
      const { exchanged } = found as { exchanged?: { how?: string } };
      return found['state'] === 'ready' && exchanged?.how === how;
    },
    `the daemon to notice: ${how}`,
    40_000,
  ).catch((error: unknown) => {
    throw new Error(`${String(error)}: ${JSON.stringify(found['exchanged'] ?? found['reason'])}`);
  });
  return found as unknown as Told;
}

async function noticed(t: Test, { host }: Scene, how: string): Promise<Told> {
  const found = await exchangedStatus(host, how);
  t.equal(found.addresses, 'given out');
  return found;
}

const tryRun = (host: CalicoHost, name: string): ReturnType<CalicoHost['tryDocker']> =>
  host.tryDocker('run', '-d', '--name', name, '--net', 'net1', IMAGE, 'sleep', '10000');

/** Store and kernel hold what the containers use, and a new container gets an address of its own. */
async function everythingBack(
  t: Test,
  { host }: Scene,
  live: readonly Attachment[],
): Promise<void> {
  await settled(host);
  const held = allocations(await dumpStore(host));
  for (const { container, address } of live) t.ok(held.has(address), `${container} has ${address}`);
  const fresh = await runContainer(host, 'fresh', 'net1');
  t.notOk(held.has(fresh.address), `${fresh.address} was nobody's`);
  t.ok(await reaches(host, 'fresh', 'web'), 'the network works');
  await host.docker('rm', '-f', 'fresh');
  await settled(host);
}

/** A second machine comes between the restored snapshot and this host's daemon. */
async function takenByAnother(t: Test, scene: Scene): Promise<void> {
  const { host, etcd } = scene;
  const before = await etcd.save();
  const contested = await runContainer(host, 'contested', 'net1');
  await until(() => reaches(host, 'web', contested.address), 'the first answer');
  scene.pings.push(await startPing(host, 'web', contested.address));
  await host.daemon().kill();
  await etcd.restore(before);
  const machine = await startLabHost('node2');
  t.teardown(() => machine.stop());
  await host.fabric.attach(machine, 2);
  const env = { ...ETCD_ENVIRONMENT, ETCD_ENDPOINTS: `http://${host.address}:2379` };
  const daemon = await startPluginDaemon(machine, { env });
  const poolId = await pluginNetwork(daemon, '192.168.0.0/16');
  t.match(await request(daemon, poolId, MAC, contested.address), contested.address);
  await host.restartDaemon();
  // The conflict alone is no proof of an exchange: it may have stood for long.
  await until(
    async () => (await status(host))['state'] === 'ready',
    'the daemon to be ready',
    40_000,
  );
  const { addressConflicts } = (await status(host)) as unknown as Told;
  t.match(addressConflicts, [
    { address: contested.address, here: /on node node1/, there: /on node node2/ },
  ]);
  const dump = await dumpStore(host);
  t.match(allocations(dump).get(contested.address), /^docker\.node2\./, 'it stays the other one’s');
  t.notOk(endpoints(dump).has(contested.endpointId), 'and this host says nowhere that it has it');
  t.ok(await reaches(host, 'web', contested.address), 'the container is left as it is');
  const [ping] = scene.pings.splice(-1);
  t.same((await ping?.stop())?.lost, []);
  await host.docker('rm', '-f', 'contested');
  const left = allocations(await dumpStore(host)).get(contested.address);
  t.match(left, /^docker\.node2\./, 'nor is it freed with the container');
  await release(daemon, poolId, contested.address);
  await daemon.kill();
}

/** The wrong one: nothing is written there. Then the right one after all: live addresses come first. */
async function anotherCluster(t: Test, scene: Scene, live: readonly Attachment[]): Promise<void> {
  const { host, etcd } = scene;
  const { process } = host.daemon();
  await process.pause();
  await etcd.stop();
  await etcd.wipe();
  await etcd.start();
  await applied(host, 'theirs', '10.99.0.0/24');
  await process.resume();
  await waits(host, /but this host belongs to cluster/);
  t.match((await tryRun(host, 'never')).stderr, /but this host belongs to cluster/);
  await host.docker('rm', '-f', 'never');
  const untouched = [...(await dumpStore(host)).keys()];
  t.same(
    untouched.filter((key) => /node1|docker/.test(key)),
    [],
    'nothing of ours is there',
  );
  rmSync(join(host.daemon().env['CALICO_STATE_DIR'] ?? '', 'datastore.json'));
  await waits(host, /has no pool for addresses of running containers/);
  await applied(host, 'pool1', '192.168.0.0/16');
  await until(async () => (await status(host))['state'] === 'ready', 'the daemon to go on', 30_000);
  await everythingBack(t, scene, live);
}

const waits = (host: CalicoHost, reason: RegExp): Promise<void> =>
  until(async () => reason.test(String((await status(host))['reason'])), String(reason), 30_000);

async function applied(host: CalicoHost, name: string, cidr: string): Promise<void> {
  const pool = `{apiVersion: projectcalico.org/v3, kind: IPPool, metadata: {name: ${name}}, spec: {cidr: ${cidr}}}`;
  const { status: done, stderr } = await host.calicoctl(['create', '-f', '-'], pool);
  if (done !== 0) throw new Error(stderr);
}
