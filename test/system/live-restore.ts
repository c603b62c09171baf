import t, { type Test } from 'tap';
import { startCalicoHost, type CalicoHost } from '../fixtures/calico-host.js';
import {
  attachment,
  createNetwork,
  ping,
  reaches,
  runContainer,
  startPing,
} from '../fixtures/containers.js';
import { engineObstacle, type EngineVersion } from '../fixtures/docker-engine.js';
import { OUTSIDE_ADDRESS } from '../fixtures/fabric.js';
import { settled } from '../fixtures/store-view.js';

const versions: readonly EngineVersion[] = ['20.10', '28'];

for (const version of versions) {
  const skip = engineObstacle(version) ?? false;
  t.test(`live-restore, engine ${version}`, { skip }, async (t) => {
    const host = await startCalicoHost(t, { version, liveRestore: true, store: 'etcd' });
    await createNetwork(host, 'net1');
    const web = await runContainer(host, 'web', 'net1');
    const db = await runContainer(host, 'db', 'net1');
    await t.test('running containers lose nothing', (t) => nothingLost(t, host, db.address));
    await t.test('what ended meanwhile is cleaned up', (t) => endedMeanwhile(t, host));
    await t.test('stop, start and remove work as before', async (t) => {
      await host.docker('restart', '-t', '0', 'db');
      t.equal((await ping(host, 'web', 'db')).ttl, 63);
      t.equal((await attachment(host, 'web', 'net1')).address, web.address);
      await host.docker('network', 'disconnect', 'net1', 'web');
      await host.docker('network', 'connect', 'net1', 'web');
      t.ok(await reaches(host, 'web', 'db'));
      await host.docker('rm', '-f', 'web', 'db');
      await host.docker('network', 'rm', 'net1');
      await settled(host);
    });
  });
}

async function nothingLost(t: Test, host: CalicoHost, peer: string): Promise<void> {
  const pings = await Promise.all([
    startPing(host, 'web', peer),
    startPing(host, 'web', OUTSIDE_ADDRESS),
  ]);
  for (const signal of ['SIGKILL', 'SIGTERM'] as const) {
    await host.stopDockerd(signal);
    await host.startDockerd();
  }
  await Promise.all([host.stopDockerd('SIGKILL'), host.daemon().kill()]);
  await host.restartDaemon();
  await host.startDockerd();
  await runContainer(host, 'fresh', 'net1');
  t.ok(await reaches(host, 'fresh', peer), 'new containers work');
  for (const one of await Promise.all(pings.map((each) => each.stop()))) {
    t.same(one.lost, [], `no request of ${one.answered} was lost`);
  }
  await settled(host);
}

/** Nobody tells a driver about a container that ended while dockerd was away. */
async function endedMeanwhile(t: Test, host: CalicoHost): Promise<void> {
  const gone = await attachment(host, 'fresh', 'net1');
  const pid = await host.docker('inspect', '-f', '{{.State.Pid}}', 'fresh');
  await host.stopDockerd('SIGKILL');
  await host.host.must('kill', ['-9', pid]);
  await host.startDockerd();
  await settled(host, { boundMs: 30_000 });
  await host.docker('start', 'fresh');
  t.ok(await reaches(host, 'fresh', 'web'), `after ${gone.address}, an address again`);
  await host.docker('rm', '-f', 'fresh');
  await settled(host);
}

t.test(
  'containers stop while the daemon is away',
  { skip: engineObstacle('20.10') ?? false },
  async (t) => {
    const host = await startCalicoHost(t);
    await createNetwork(host, 'net1');
    await runContainer(host, 'kept', 'net1');
    await runContainer(host, 'gone', 'net1');
    await t.test('and it is back before Docker gives up', async (t) => {
      await host.daemon().kill();
      const removal = host.docker('rm', '-f', 'gone');
      await host.restartDaemon();
      await removal;
      await settled(host);
      t.ok(await reaches(host, 'kept', OUTSIDE_ADDRESS));
    });
  },
);
