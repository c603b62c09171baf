import { rmSync } from 'node:fs';
import { join } from 'node:path';
import t, { type Test } from 'tap';
import { ETCD_ENVIRONMENT, startCalicoHost, type CalicoHost } from '../fixtures/calico-host.js';
import {
  attachment,
  createNetwork,
  reaches,
  runContainer,
  startPing,
  type Attachment,
} from '../fixtures/containers.js';
import { engineObstacle, IMAGE } from '../fixtures/docker-engine.js';
import { writeInside } from '../fixtures/lab-host.js';
import { runCalicoctl } from '../fixtures/plugin-daemon.js';
import { settled } from '../fixtures/store-view.js';
import { until } from '../fixtures/until.js';

const skip = engineObstacle('20.10') ?? false;
const EMBEDDED = { DATASTORE_TYPE: 'embedded', ETCD_ENDPOINTS: '' } as const;

/** As the help of `calicoctl datastore migrate` tells it, there and back. */
t.test('from the embedded datastore to etcd and back', { skip }, async (t) => {
  const host = await startCalicoHost(t, {
    store: 'embedded',
    daemon: { env: { CALICO_LIBNETWORK_CALL_TIMEOUT_MS: '4000' } },
  });
  await host.startEtcd();
  await createNetwork(host, 'net1');
  const running = [await runContainer(host, 'web', 'net1'), await runContainer(host, 'db', 'net1')];
  await runContainer(host, 'goes', 'net1');
  const answers = (): Promise<boolean> => reaches(host, 'web', 'db');
  await until(answers, 'the first answer');
  const ping = await startPing(host, 'web', running[1]?.address ?? '');
  const early = await host.calicoctl(['datastore', 'migrate', 'export']);
  t.not(early.status, 0);
  t.match(early.stderr, /Datastore is not locked/);
  await t.test('to etcd', (t) => migrate(t, host, ETCD_ENVIRONMENT, running));
  // What is left of the embedded one is in the way of an import.
  rmSync(join(host.daemon().env['CALICO_STATE_DIR'] ?? '', 'datastore'), { recursive: true });
  await t.test('back', (t) => migrate(t, { ...host, store: 'etcd' }, EMBEDDED, running));
  const { lost, answered } = await ping.stop();
  t.same(lost, [], `no request of ${answered} was lost`);
});

async function migrate(
  t: Test,
  host: CalicoHost,
  to: Readonly<Record<string, string>>,
  running: readonly Attachment[],
): Promise<void> {
  const must = async (...args: readonly string[]): Promise<string> => {
    const { status, stdout, stderr } = await host.calicoctl(['datastore', 'migrate', ...args]);
    if (status !== 0) throw new Error(stderr);
    return stdout;
  };
  t.equal(await must('lock'), 'Datastore locked.\n');
  await until(async () => /is locked/.test(await addresses(host)), 'the daemon to see the lock');
  const refused = await host.tryDocker('run', '--name', 'never', '--net', 'net1', IMAGE, 'true');
  t.match(
    refused.stderr,
    /is locked: no address is given out until calicoctl datastore migrate unlock/,
  );
  await host.docker('rm', '-f', 'never');
  const file = join(host.host.dir, `from-${host.store}.jsonl`);
  await writeInside(host.host, file, await must('export'));
  // The other datastore is configured, and the daemon still works with this one.
  const env = { ...host.daemon().env, ...to };
  const load = ['datastore', 'migrate', 'import', '-f', file];
  const loaded = await runCalicoctl(host.host, load, { env });
  t.match(loaded.stdout, /Successfully imported \d+ keys/, loaded.stderr);
  t.equal((await runCalicoctl(host.host, load, { env })).status, 0, 'as often as one likes');
  await host.docker('rm', '-f', 'goes');
  await host.daemon().stop();
  await host.restartDaemon({ env: to });
  const there: CalicoHost = { ...host, store: host.store === 'etcd' ? 'embedded' : 'etcd' };
  await until(async () => /is locked/.test(await addresses(there)), 'the daemon to go on there');
  const used = await runCalicoctl(host.host, load, { env });
  t.match(
    used.stderr,
    /is in use: it has \d+ keys that are not in the file/,
    'not over what is in use',
  );
  const unlocked = await there.calicoctl(['datastore', 'migrate', 'unlock']);
  t.equal(unlocked.stdout, 'Datastore unlocked.\n', unlocked.stderr);
  await until(async () => (await addresses(there)) === 'given out', 'the daemon to see that');
  for (const { container, address } of running)
    t.equal((await attachment(there, container, 'net1')).address, address, container);
  await settled(there, { except: /left over/ });
  const fresh = await runContainer(there, 'goes', 'net1');
  t.notOk(running.some(({ address }) => address === fresh.address));
  t.ok(await reaches(there, 'goes', 'web'), 'new containers work');
}

async function addresses(host: CalicoHost): Promise<string> {
  const { stdout } = await host.calicoctl(['status', '-o', 'json']);
  return stdout === '' ? '' : String((JSON.parse(stdout) as { addresses?: unknown }).addresses);
}
