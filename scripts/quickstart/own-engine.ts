import { existsSync } from 'node:fs';
import { IMAGE, startEngine } from '../../test/fixtures/docker-engine.js';
import type { Stage } from './stage.js';

/** A Docker host of its own, in namespaces: nothing of this machine's network changes. */
export async function startOwnEngine(): Promise<Stage> {
  const engine = await startEngine({ name: 'quickstart' });
  try {
    // Without any configuration the embedded store is chosen; a configured machine must not pull its own cluster in.
    const env = existsSync('/etc/calico') ? { CALICO_LIBNETWORK_DATASTORE_TYPE: 'embedded' } : {};
    const daemon = await engine.startDaemon({ env });
    const version = await engine.docker('version', '--format', '{{.Server.Version}}');
    return {
      description: `Docker ${version}, started for this in namespaces of its own`,
      image: IMAGE,
      docker: (...args) => engine.tryDocker(...args),
      calicoctl: (...args) => engine.calicoctl(args),
      daemonLog: daemon.log,
      prefix: `nsenter -t ${engine.host.pid} -a `,
      env: daemon.env,
      stop: async () => {
        await engine.stop();
        return [];
      },
    };
  } catch (error) {
    await engine.stop();
    throw error;
  }
}
