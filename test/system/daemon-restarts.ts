import { statSync } from 'node:fs';
import t, { type Test } from 'tap';
import { startCalicoHost, type CalicoHost, type StoreType } from '../fixtures/calico-host.js';
import {
  createNetwork,
  ping,
  reaches,
  runContainer,
  startPing,
  type SteadyPing,
} from '../fixtures/containers.js';
import { engineObstacle, IMAGE } from '../fixtures/docker-engine.js';
import { OUTSIDE_ADDRESS } from '../fixtures/fabric.js';
import { IPAM_SOCKET, NETWORK_SOCKET } from '../fixtures/plugin-daemon.js';
import { disagreements, settled } from '../fixtures/store-view.js';
import { until } from '../fixtures/until.js';

const skip = engineObstacle('20.10') ?? false;
const stores: readonly StoreType[] = ['embedded', 'etcd'];

for (const store of stores) {
  t.test(`the daemon ends and starts while containers run, ${store}`, { skip }, async (t) => {
    const host = await startCalicoHost(t, { store });
    await createNetwork(host, 'net1');
    await createNetwork(host, 'net2');
    const web = await runContainer(host, 'web', 'net1');
    const db = await runContainer(host, 'db', 'net1');
    await runContainer(host, 'other', 'net2');
    const pings = await Promise.all([
      startPing(host, 'web', db.address),
      startPing(host, 'db', OUTSIDE_ADDRESS),
    ]);
    for (const how of ['kill', 'stop'] as const) {
      await t.test(how, async (t) => {
        await host.daemon()[how]();
        const during = pings.map((one) => one.answered());
        t.notOk(await reaches(host, 'other', web.address), 'the policy stays without a daemon');
        await host.restartDaemon();
        const mode = (path: string): number => statSync(host.host.path(path)).mode & 0o7777;
        t.same([NETWORK_SOCKET, IPAM_SOCKET].map(mode), [0o600, 0o600], 'the same two sockets');
        const fresh = await runContainer(host, `after-${how}`, 'net1');
        t.equal((await ping(host, 'web', fresh.address)).ttl, 63, 'new containers work');
        t.notOk(await reaches(host, 'other', fresh.address));
        t.ok(
          pings.every((one, index) => one.answered() > (during[index] ?? 0)),
          'the pings went on',
        );
        await settled(host);
      });
    }
    await lostNothing(t, pings);
    await host.docker('rm', '-f', 'web', 'db', 'other', 'after-kill', 'after-stop');
    await host.docker('network', 'rm', 'net1', 'net2');
    await settled(host);
  });
}

async function lostNothing(t: Test, pings: readonly SteadyPing[]): Promise<void> {
  for (const { answered, lost } of await Promise.all(pings.map((one) => one.stop()))) {
    t.same(lost, [], `no request of ${answered} was lost`);
    t.ok(answered > 20, 'all the time');
  }
}

t.test('killed in the middle of calls', { skip }, async (t) => {
  const host = await startCalicoHost(t, { store: 'etcd' });
  await createNetwork(host, 'net1');
  await runContainer(host, 'kept', 'net1');
  const names = Array.from({ length: 8 }, (_, index) => `burst${index}`);
  for (const calls of [1, 7, 20]) {
    const act = (name: string): Promise<unknown> => start(host, name);
    await t.test(`starts, after ${calls} calls`, (t) =>
      killedDuring(t, host, { calls, act, names }),
    );
    for (const name of names) await start(host, name);
    t.equal((await ping(host, 'kept', 'burst7')).received, 2);
    const remove = (name: string): Promise<unknown> => host.tryDocker('rm', '-f', name);
    await t.test(`removals, after ${calls} calls`, (t) =>
      killedDuring(t, host, { calls, act: remove, names }),
    );
    await host.tryDocker('rm', '-f', ...names);
    // An address whose reply was lost belongs to nobody that could give it back: see test/long/leftovers.ts.
    await settled(host, { except: /^address left over/ });
    const leftOver = (await disagreements(host)).length;
    t.ok(leftOver <= names.length, `${leftOver} left over`);
  }
});

const start = (host: CalicoHost, name: string): Promise<unknown> =>
  host.tryDocker('run', '-d', '--name', name, '--net', 'net1', IMAGE, 'sleep', '10000').then(
    // It was made in an earlier round.
    (made) => (made.status === 125 ? host.tryDocker('start', name) : made),
  );

interface Burst {
  /** How many calls are answered before the kill. */
  readonly calls: number;
  readonly act: (name: string) => Promise<unknown>;
  readonly names: readonly string[];
}

/** Kills the daemon while Docker is at it, and starts it at once. */
async function killedDuring(t: Test, host: CalicoHost, burst: Burst): Promise<void> {
  const daemon = host.daemon();
  const answered = (): number => daemon.log().match(/"msg":"call"/g)?.length ?? 0;
  const before = answered();
  const acting = burst.names.map(burst.act);
  await until(() => answered() >= before + burst.calls, 'the calls before the kill');
  await daemon.kill();
  await host.restartDaemon();
  await Promise.all(acting);
  t.ok(host.daemon().process.running());
}
