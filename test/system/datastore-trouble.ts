import t, { type Test } from 'tap';
import { ETCD_ENVIRONMENT, startCalicoHost, type CalicoHost } from '../fixtures/calico-host.js';
import {
  attachment,
  createNetwork,
  DRIVERS,
  reaches,
  runContainer,
  startPing,
} from '../fixtures/containers.js';
import { engineObstacle, IMAGE } from '../fixtures/docker-engine.js';
import type { LabProcess } from '../fixtures/lab-process.js';
import { OUTSIDE_ADDRESS } from '../fixtures/fabric.js';
import { settled } from '../fixtures/store-view.js';
import { until } from '../fixtures/until.js';

const skip = engineObstacle('20.10') ?? false;
/** Bound of a start: address and endpoint, 20 s each at most; what was seen is 5 to 7 s. */
const START_MS = 20_000;
/** Leave, DeleteEndpoint and ReleaseAddress have 2 s each, and Docker needs its own time. */
const STOP_MS = 8_000;

t.test('etcd comes and goes', { skip }, async (t) => {
  const lab = await startLab(t);
  const { host } = lab;
  await createNetwork(host, 'net1');
  const kept = await runContainer(host, 'kept', 'net1');
  await runContainer(host, 'peer', 'net1');
  const pings = await Promise.all([
    startPing(host, 'peer', kept.address),
    startPing(host, 'peer', OUTSIDE_ADDRESS),
  ]);
  await t.test('it hangs', async (t) => {
    await runContainer(host, 'gone1', 'net1');
    await lab.etcd.pause();
    await trouble(t, host, 'gone1', /no answer before the deadline|connection lost/);
    await lab.etcd.resume();
    await again(t, host);
  });
  await t.test('it is not there', async (t) => {
    await runContainer(host, 'gone2', 'net1');
    await lab.etcd.end('SIGKILL');
    await trouble(t, host, 'gone2', /connection refused/);
    await t.test('and the daemon starts meanwhile', async (t) => {
      await host.daemon().kill();
      await host.restartDaemon();
      t.ok(await reaches(host, 'peer', kept.address));
      const waiting = host.docker(
        'run',
        '-d',
        '--name',
        'early',
        '--net',
        'net1',
        IMAGE,
        'sleep',
        '10000',
      );
      await until(
        () => /not ready, trying again/.test(host.daemon().log()),
        'the daemon to say so',
      );
      t.match(host.daemon().log(), /connection refused/);
      lab.etcd = await host.startEtcd();
      await waiting;
      t.ok(await reaches(host, 'early', kept.address), 'a start waits for the first contact');
      await host.docker('rm', '-f', 'early');
    });
    await again(t, host);
  });
  await t.test('it answers garbage', async (t) => {
    await runContainer(host, 'gone3', 'net1');
    await lab.etcd.end('SIGKILL');
    const web = await host.host.spawn('busybox', ['httpd', '-f', '-p', '127.0.0.1:2379']);
    await trouble(t, host, 'gone3', /connection lost|Protocol error/);
    await web.end('SIGKILL');
    lab.etcd = await host.startEtcd();
    await again(t, host);
  });
  for (const { answered, lost } of await Promise.all(pings.map((one) => one.stop()))) {
    t.same(lost, [], `no request of ${answered} was lost all the while`);
  }
});

interface Lab {
  readonly host: CalicoHost;
  etcd: LabProcess;
}

/** A host whose etcd the test holds in its hand. */
async function startLab(t: Test): Promise<Lab> {
  let etcd: LabProcess | undefined;
  const host = await startCalicoHost(t, {
    daemon: { env: ETCD_ENVIRONMENT, wait: false },
  });
  etcd = await host.startEtcd();
  return { host: { ...host, store: 'etcd' }, etcd };
}

/** Starts fail in time and say why; stops succeed. */
async function trouble(t: Test, host: CalicoHost, goes: string, reason: RegExp): Promise<void> {
  const started = performance.now();
  const run = await host.tryDocker('run', '-d', '--name', 'never', '--net', 'net1', IMAGE, 'true');
  t.not(run.status, 0);
  t.ok(performance.now() - started < START_MS, 'a start is answered within its bound');
  t.match(run.stderr, /http:\/\/127\.0\.0\.1:2379/, 'with what was tried');
  t.match(run.stderr, reason, 'and why');
  const create = await host.tryDocker('network', 'create', ...DRIVERS, 'never');
  t.match(create.stderr, /etcd cannot be reached: tried .* it goes on trying/s);
  const stopped = performance.now();
  t.equal((await host.tryDocker('rm', '-f', goes)).status, 0);
  t.ok(performance.now() - stopped < STOP_MS, 'a stop is not held up');
  t.match(host.daemon().log(), /deferred/);
}

/** Etcd is back: everything that was put off is done, and starts succeed at once. */
async function again(t: Test, host: CalicoHost): Promise<void> {
  await runContainer(host, 'fresh', 'net1');
  t.ok(await reaches(host, 'fresh', 'kept'));
  await host.tryDocker('rm', '-f', 'never');
  await settled(host, { boundMs: 40_000 });
  await host.docker('rm', '-f', 'fresh');
  t.ok((await attachment(host, 'kept', 'net1')).address);
}

t.test('etcd is slow, and is compacted', { skip }, async (t) => {
  const lab = await startLab(t);
  const { host, etcd } = lab;
  await createNetwork(host, 'net1');
  await runContainer(host, 'kept', 'net1');
  await t.test('slow', async (t) => {
    // The pauses are the load, not a wait for something.
    let busy = true;
    const stutter = (async () => {
      while (busy) {
        await etcd.pause();
        await new Promise((resolve) => setTimeout(resolve, 300));
        await etcd.resume();
        await new Promise((resolve) => setTimeout(resolve, 50));
      }
    })();
    try {
      await runContainer(host, 'slow', 'net1');
      t.ok(await reaches(host, 'slow', 'kept'));
      await host.docker('rm', '-f', 'slow');
    } finally {
      busy = false;
      await stutter;
    }
    await settled(host);
  });
  await t.test('compacted while the daemon stands still', async (t) => {
    const { process } = host.daemon();
    await createNetwork(host, 'net2');
    const other = await runContainer(host, 'other', 'net2');
    t.notOk(await reaches(host, 'kept', other.address));
    const text = await host.calicoctl(['get', 'profile', 'net2', '-o', 'yaml']);
    await process.pause();
    const edited = text.stdout.replace('has(net2)', 'has(net2) || has(net1)');
    t.equal((await host.calicoctl(['apply', '-f', '-'], edited)).status, 0);
    const etcdctl = (...args: readonly string[]): Promise<string> =>
      host.host.must('etcdctl', args, { env: { ETCDCTL_API: '3' } });
    for (let count = 0; count < 5; count += 1) await etcdctl('put', '/elsewhere', String(count));
    const { header } = JSON.parse(await etcdctl('get', '/elsewhere', '-w', 'json')) as {
      header: { revision: number };
    };
    await etcdctl('compaction', String(header.revision));
    await process.resume();
    await until(() => reaches(host, 'kept', other.address), 'the change that was compacted away');
    await runContainer(host, 'more', 'net2');
    await settled(host);
  });
});
