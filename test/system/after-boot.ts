import t from 'tap';
import { ETCD_ENVIRONMENT, startCalicoHost } from '../fixtures/calico-host.js';
import { createNetwork, reaches, runContainer } from '../fixtures/containers.js';
import { engineObstacle, type EngineVersion } from '../fixtures/docker-engine.js';
import { settled } from '../fixtures/store-view.js';
import { BOOT } from '../fixtures/reboot.js';
import { until } from '../fixtures/until.js';

/** Docker gives up on a container whose start fails at boot (protocol §1.5). The datastore comes back after that. */
const versions: readonly EngineVersion[] = ['20.10', '28'];
const BOOT_WAIT = { CALICO_LIBNETWORK_BOOT_WAIT_MS: '1000' };

for (const version of versions) {
  const skip = engineObstacle(version) ?? false;
  t.test(`etcd comes back long after a power cut, engine ${version}`, { skip }, async (t) => {
    const env = { ...ETCD_ENVIRONMENT, ...BOOT_WAIT };
    const host = await startCalicoHost(t, { version, daemon: { env, wait: false } });
    const etcd = await host.startEtcd();
    const started = async (): Promise<string[]> =>
      (await host.docker('ps', '--format', '{{.Names}}')).split('\n').sort();
    await createNetwork(host, 'net1');
    await runContainer(host, 'second', 'net1', '--restart', 'unless-stopped');
    await runContainer(host, 'first', 'net1', '--restart', 'always');
    await runContainer(host, 'by-hand', 'net1', '--restart', 'always');
    await runContainer(host, 'once', 'net1');
    await host.docker('stop', 'by-hand');
    await Promise.all([host.stopDockerd('SIGKILL'), host.daemon().kill(), etcd.end('SIGKILL')]);
    await host.host.must('sh', ['-c', BOOT]);
    await host.restartDaemon();
    await host.startDockerd();
    t.same(await started(), [''], 'Docker gave them all up');
    t.match(await host.docker('inspect', '-f', '{{.State.Error}}', 'first'), /remote: etcd cannot/);
    await host.startEtcd();
    await until(
      async () => (await started()).join(' ') === 'first second',
      'the containers with a restart policy',
      60_000,
    );
    const order = [
      ...host
        .daemon()
        .log()
        .matchAll(/starting (\w+), whose last start failed/g),
    ];
    t.same(
      order.map(([, name]) => name),
      ['second', 'first'],
      'once each, in order of creation, without the one that a user stopped',
    );
    t.ok(await reaches(host, 'first', 'second'));
    await settled({ ...host, store: 'etcd' }, { boundMs: 30_000 });
  });
}
