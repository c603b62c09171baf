import { existsSync, readdirSync } from 'node:fs';
import t from 'tap';
import { engineObstacle, IMAGE, startEngine, startFabric } from '../fixtures/docker-engine.js';
import type { EngineVersion } from '../fixtures/docker-engine.js';
import { cgroupOf } from '../fixtures/control-groups.js';

const versions: readonly EngineVersion[] = ['20.10', '26', '28'];

for (const version of versions) {
  const skip = engineObstacle(version) ?? false;
  t.test(
    `engine ${version}: containers run, dockerd restarts, nothing stays`,
    { skip },
    async (t) => {
      const engine = await startEngine({ version, liveRestore: true });
      t.teardown(() => engine.stop());
      t.match(
        await engine.docker('version', '--format', '{{.Server.Version}}'),
        new RegExp(`^${version}\\.`),
      );
      const ping = await engine.docker('run', '--rm', IMAGE, 'ping', '-c', '1', '172.16.60.1');
      t.match(ping, '1 packets received', 'the outside machine answers');
      await engine.docker('run', '-d', '--name', 'kept', IMAGE, 'sleep', '1000');
      const pid = await engine.docker('inspect', '-f', '{{.State.Pid}}', 'kept');
      await engine.stopDockerd('SIGKILL');
      await engine.startDockerd();
      t.equal(
        await engine.docker('inspect', '-f', '{{.State.Pid}}', 'kept'),
        pid,
        'live-restore keeps it',
      );
      await engine.stop();
      t.notOk(existsSync(engine.host.dir), 'no files');
      const groups = readdirSync('/sys/fs/cgroup').flatMap((name) => [
        `/sys/fs/cgroup/${name}/${cgroupOf(engine.host.dir)}`,
        `/sys/fs/cgroup/${cgroupOf(engine.host.dir)}`,
      ]);
      t.same(
        groups.filter((path) => existsSync(path)),
        [],
        'no control groups',
      );
      t.notOk(existsSync(`/proc/${engine.host.pid}`), 'no processes');
    },
  );
}

t.test(
  'two hosts on one segment reach each other until one is cut off',
  { skip: engineObstacle('20.10') ?? false },
  async (t) => {
    const fabric = await startFabric();
    t.teardown(() => fabric.stop());
    const one = await startEngine({ fabric, index: 1, dockerd: false });
    t.teardown(() => one.stop());
    const two = await startEngine({ fabric, index: 2, dockerd: false });
    t.teardown(() => two.stop());
    const ping = (address: string): Promise<number> =>
      one.run('ping', ['-c', '1', '-W', '1', address]).then((result) => result.status);
    t.equal(await ping(two.address), 0, 'IPv4');
    t.equal(await ping('fd60::216'), 0, 'IPv6');
    await fabric.cut(2);
    t.not(await ping(two.address), 0, 'cut off');
    await fabric.heal(2);
    t.equal(await ping(two.address), 0, 'healed');
  },
);
