import t, { type Test } from 'tap';
import { startCalicoHost, type CalicoHost } from '../fixtures/calico-host.js';
import { attachment, createNetwork, ping, reaches, runContainer } from '../fixtures/containers.js';
import { engineObstacle, type EngineVersion } from '../fixtures/docker-engine.js';
import { endpoints, dumpStore, settled } from '../fixtures/store-view.js';
import { BOOT } from '../fixtures/reboot.js';
import { until } from '../fixtures/until.js';

const versions: readonly EngineVersion[] = ['20.10', '28'];
const ALWAYS = ['--restart', 'always'] as const;

for (const version of versions) {
  const skip = engineObstacle(version) ?? false;
  t.test(`dockerd ends and starts, engine ${version}`, { skip }, async (t) => {
    const host = await startCalicoHost(t, { version });
    const created = await host.calicoctl(['create', '-f', '-'], POOL);
    t.equal(created.status, 0, created.stderr);
    await createNetwork(host, 'net1', '--subnet', '10.61.0.0/24');
    await createNetwork(host, 'auto');
    await runContainer(host, 'always', 'net1', ...ALWAYS, '-p', '8080:80');
    // It asks for the very address that a crash leaves with an endpoint that nobody deleted.
    await runContainer(host, 'fixed', 'net1', ...ALWAYS, '--ip', '10.61.0.77');
    await runContainer(host, 'auto1', 'auto', ...ALWAYS);
    await runContainer(host, 'once', 'net1');
    for (const signal of ['SIGKILL', 'SIGTERM'] as const) {
      await t.test(signal, (t) => restarted(t, host, signal));
    }
    await t.test('both at once, as a power cut does', (t) => powerCut(t, host));
  });
}

const POOL = `apiVersion: projectcalico.org/v3
kind: IPPool
metadata:
  name: red
spec:
  cidr: 10.61.0.0/24
`;

async function restarted(t: Test, host: CalicoHost, signal: NodeJS.Signals): Promise<void> {
  await host.stopDockerd(signal);
  await host.startDockerd();
  await isBack(t, host);
  await host.docker('start', 'once');
  t.ok(await reaches(host, 'once', 'fixed'), 'one without a restart policy can be started');
  await settled(host, { boundMs: 30_000 });
}

/** The containers with a restart policy have their networks; the others hold nothing. */
async function isBack(t: Test, host: CalicoHost): Promise<void> {
  await until(
    async () => {
      const names = (await host.docker('ps', '--format', '{{.Names}}')).split('\n').sort();
      return names.join(' ') === 'always auto1 fixed';
    },
    'the containers with a restart policy',
    60_000,
  );
  await settled(host, { boundMs: 30_000 });
  const fixed = await attachment(host, 'fixed', 'net1');
  t.equal(fixed.address, '10.61.0.77', 'the address of the stale endpoint');
  const stored = endpoints(await dumpStore(host));
  t.same(stored.get(fixed.endpointId)?.spec.ipNetworks, ['10.61.0.77/32'], 'is the new one’s');
  const { received, ttl } = await ping(host, 'always', 'fixed');
  t.same({ received, ttl }, { received: 2, ttl: 63 });
  t.notOk(await reaches(host, 'auto1', '10.61.0.77'), 'networks are apart');
  const { address } = await attachment(host, 'always', 'net1');
  const { stdout } = await host.calicoctl(['status']);
  t.match(stdout, new RegExp(`0\\.0\\.0\\.0:8080/tcp +${address}:80 `), 'its port too');
}

/** Everything of Docker's and ours ends without a word, and what a boot forgets is gone. */
async function powerCut(t: Test, host: CalicoHost): Promise<void> {
  await Promise.all([host.stopDockerd('SIGKILL'), host.daemon().kill()]);
  await host.host.must('sh', ['-c', BOOT]);
  await host.restartDaemon();
  await host.startDockerd();
  await isBack(t, host);
  await host.docker('start', 'once');
  t.ok(await reaches(host, 'once', 'fixed'));
  await settled(host, { boundMs: 30_000 });
}
