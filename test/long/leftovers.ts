import t from 'tap';
import { startCalicoHost } from '../fixtures/calico-host.js';
import { createNetwork, reaches, runContainer } from '../fixtures/containers.js';
import { engineObstacle } from '../fixtures/docker-engine.js';
import { disagreements, settled } from '../fixtures/store-view.js';
import { until } from '../fixtures/until.js';

/**
 * Docker asks a plugin that is not there four times, 15 s each, and then forgets the endpoint: nobody will ever say
 * again that it may go. It is freed on proof: two looks a minute apart, none in the first minute of the daemon.
 */
t.test(
  'what Docker forgot while the daemon was away is found and freed',
  { skip: engineObstacle('20.10') ?? false },
  async (t) => {
    const host = await startCalicoHost(t, {
      daemon: { env: { CALICO_LIBNETWORK_RECLAIM_MINIMUM_AGE: '5s' } },
    });
    await createNetwork(host, 'net1');
    const kept = await runContainer(host, 'kept', 'net1');
    const gone = await runContainer(host, 'gone', 'net1');
    await host.daemon().kill();
    await host.docker('rm', '-f', 'gone');
    await host.restartDaemon();
    const left = await disagreements(host);
    t.ok(left.includes(`address left over: ${gone.address}`), 'it holds its address');
    t.ok(left.includes(`endpoint left over: ${gone.endpointId}`), 'and its endpoint');
    await settled(host, { boundMs: 200_000 });
    t.match(host.daemon().log(), /was left over and is free again/);
    const fresh = await runContainer(host, 'fresh', 'net1');
    t.ok(await reaches(host, 'fresh', kept.address), 'what is in use was not touched');
    await until(() => reaches(host, 'kept', fresh.address), 'both ways');
    await settled(host);
  },
);
