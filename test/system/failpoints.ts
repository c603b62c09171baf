import { readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import t, { type Test } from 'tap';
import { startCalicoHost, type CalicoHost, type StoreType } from '../fixtures/calico-host.js';
import { startDockerApi, type DockerApi } from '../fixtures/docker-api.js';
import {
  createHabits,
  lifeMethods,
  newLife,
  type Habits,
  type Life,
  type LifeMethod,
} from '../fixtures/docker-habits.js';
import { hostInterfaces } from '../fixtures/kernel-view.js';
import { labObstacle } from '../fixtures/lab-host.js';
import { disagreementsWith, dumpStore } from '../fixtures/store-view.js';
import { until } from '../fixtures/until.js';

/**
 * The daemon is killed at every step that a call takes, before and after it; Docker goes on as it does, and in the end
 * nothing is doubled and nothing is left. The steps are those that the code itself passes: who adds one adds a case.
 */
// The proof of what may be freed takes two minutes of waiting: both at once.
t.jobs = 2;
for (const store of ['embedded', 'etcd'] as const) {
  const options = { skip: labObstacle() ?? false, buffered: true };
  t.test(`killed at every step of every call, ${store}`, options, (t) => killEverywhere(t, store));
}

interface Scene {
  readonly host: CalicoHost;
  readonly api: DockerApi;
  readonly docker: Habits;
  /** The daemon reads its orders here. */
  readonly orders: string;
  readonly trace: string;
  /** Containers that live all the while. */
  readonly lasting: readonly Life[];
}

async function killEverywhere(t: Test, store: StoreType): Promise<void> {
  const scene = await startScene(t, store);
  const missed: string[] = [];
  let kills = 0;
  for (const method of lifeMethods) {
    const steps = await stepsOf(scene, method);
    const again = await stepsOf(scene, method);
    t.ok(steps.length > 0, `${method} takes ${steps.length} steps`);
    for (const step of steps) {
      // What the background did beside the call the first time is tried too, but need not come again.
      const isOwn = again.includes(step);
      let died = await killAt(scene, method, step);
      for (let tries = 1; isOwn && !died && tries < 3; tries += 1) {
        died = await killAt(scene, method, step);
      }
      if (died) kills += 1;
      else if (isOwn) missed.push(`${method} ${step}`);
    }
  }
  t.same(scene.docker.refusals, [], 'no call was refused');
  t.comment(`${kills} kills; not reached a second time: ${missed.join(', ') || 'none'}`);
  t.ok(missed.length <= kills / 10, 'nearly every step was reached again');
  t.same(scene.docker.doubled, [], 'no address had two holders');
  t.same(await lastLeft(scene), [], 'everything that the dead left was found and freed');
}

/** Two looks of the reconciler are needed, a minute apart and none in the first minute of the daemon. */
const FREED_MS = 240_000;

async function lastLeft(scene: Scene): Promise<readonly string[]> {
  const end = performance.now() + FREED_MS;
  for (;;) {
    const left = await leftOver(scene);
    if (left.length === 0 || performance.now() > end) return left;
    // A look stops the daemon for a moment.
    await delay(5_000);
  }
}

async function startScene(t: Test, store: StoreType): Promise<Scene> {
  const api = await startDockerApi(t);
  const orders = join(t.testdir(), 'orders.json');
  const env = {
    CALICO_LIBNETWORK_FAILPOINT_FILE: orders,
    CALICO_LIBNETWORK_DOCKER_SOCKET: api.socketPath,
    CALICO_LIBNETWORK_RECLAIM_MINIMUM_AGE: '5s',
  };
  const host = await startCalicoHost(t, { dockerd: false, store, daemon: { env } });
  const docker = createHabits(host, api);
  t.teardown(() => docker.close());
  const lasting = [newLife(), newLife()];
  for (const life of lasting) await docker.run(life, {}, 'NetworkDriver.Join');
  return { host, api, docker, orders, trace: `${orders}.trace`, lasting };
}

const interfaceOf = ({ endpointId }: Life): string => `cali${endpointId.slice(0, 11)}`;

/** The pair goes a second after the call, by a step of its own. */
async function isGone({ host }: Scene, life: Life): Promise<boolean> {
  return !(await hostInterfaces(host.host)).includes(interfaceOf(life));
}

/** Answers only when it is certain: the connection breaks a moment before the process is gone. */
async function isDead(host: CalicoHost): Promise<boolean> {
  const { process, network } = host.daemon();
  const answers = await network.raw('Plugin.Activate').then(
    () => true,
    () => false,
  );
  if (!answers) await until(() => !process.running(), 'the daemon to be gone');
  return !answers;
}

async function stepsOf(scene: Scene, method: LifeMethod): Promise<readonly string[]> {
  const { docker, orders, trace } = scene;
  const life = newLife();
  writeFileSync(trace, '');
  await docker.run(life, {
    before: async (next) => {
      if (next !== method) return;
      writeFileSync(orders, JSON.stringify({ trace }));
    },
    after: async (done) => {
      if (done !== method) return;
      if (method === 'NetworkDriver.DeleteEndpoint')
        await until(() => isGone(scene, life), 'the pair to go');
      rmSync(orders);
    },
  });
  return [...new Set(readFileSync(trace, 'utf8').trim().split('\n'))].filter((step) => step !== '');
}

/** True when the step was reached and the daemon died there. */
async function killAt(scene: Scene, method: LifeMethod, step: string): Promise<boolean> {
  const { host, docker, orders } = scene;
  const life = newLife();
  let died = false;
  await docker.run(life, {
    before: async (next) => {
      if (next === method) writeFileSync(orders, JSON.stringify({ kill: step }));
    },
    after: async (done) => {
      if (done !== method) return;
      if (method === 'NetworkDriver.DeleteEndpoint') {
        await until(
          async () => (await isGone(scene, life)) || (await isDead(host)),
          'either to go',
        );
      }
      rmSync(orders, { force: true });
      died = await isDead(host);
      if (died) await host.restartDaemon();
    },
  });
  return died;
}

/** By store and kernel, read past the daemon, and the calls that were answered. */
async function leftOver({ host, lasting }: Scene): Promise<readonly string[]> {
  const live = lasting.map((life) => ({
    address: life.address.split('/')[0] ?? '',
    address6: '',
    endpointId: life.endpointId,
    hostInterface: interfaceOf(life),
  }));
  const networks = [...(await dumpStore(host)).keys()]
    .flatMap((key) => /\/docker\/v1\/networks\/(.+)$/.exec(key)?.[1] ?? [])
    .filter((id) => !lasting.some(({ networkId }) => networkId.startsWith(id)));
  return [
    ...(await disagreementsWith(host, live)),
    ...networks.map((id) => `network left over: ${id}`),
  ];
}
