import { spawnSync } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import t from 'tap';
import { ping, reaches, runContainer } from '../fixtures/containers.js';
import { engineObstacle, startEngine, type Engine } from '../fixtures/docker-engine.js';
import { ensureBuilt } from '../fixtures/plugin-daemon.js';
import { until } from '../fixtures/until.js';

const skip = engineObstacle('20.10') ?? false;

t.test('as a managed plugin', { skip }, async (t) => {
  ensureBuilt();
  const folder = mkdtempSync('/tmp/calico-plugin-');
  t.teardown(() => rmSync(folder, { recursive: true, force: true }));
  const made = spawnSync('sh', ['packaging/plugin.sh', folder], { encoding: 'utf8' });
  t.equal(made.status, 0, made.stderr);
  const engine = await startEngine();
  t.teardown(() => engine.stop());
  await engine.host.must('mkdir', ['-p', '/var/lib/calico', '/run/calico', '/etc/calico']);
  await engine.docker('plugin', 'create', 'calico', folder);
  await engine.docker('plugin', 'enable', 'calico');
  const drivers = ['--driver', 'calico:latest', '--ipam-driver', 'calico:latest'];
  for (const name of ['net1', 'net2']) await engine.docker('network', 'create', ...drivers, name);
  await runContainer(engine, 'web', 'net1', '--restart', 'always');
  await runContainer(engine, 'client', 'net1', '--restart', 'always');
  const other = await runContainer(engine, 'other', 'net2');
  await talks(engine);
  t.notOk(await reaches(engine, 'client', other.address), 'networks are apart');
  await engine.stopDockerd('SIGKILL');
  await engine.startDockerd();
  await until(
    async () => (await engine.docker('ps', '--format', '{{.Names}}')).split('\n').length === 2,
    'the containers with a restart policy',
    60_000,
  );
  await talks(engine);
  t.pass('a dockerd that was killed brings all back, the plugin first');
});

async function talks(engine: Engine): Promise<void> {
  await until(async () => (await ping(engine, 'client', 'web')).received === 2, 'a ping', 30_000);
}
