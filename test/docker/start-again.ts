import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import t from 'tap';
import { Fault, silentLog } from '../../src/base/index.js';
import { createStartAgain } from '../../src/docker/start-again.js';
import {
  failedStarts,
  readStoppedContainer,
  type StoppedContainer,
} from '../../src/docker/stopped-containers.js';
import { until } from '../fixtures/until.js';

const NETWORKS = [{ id: 'a1', name: 'net1' }];
/** As measured: what dockerd keeps of an answer of ours, and of a plugin that is not there. */
const ANSWERED = 'failed to set up container networking: remote: etcd cannot be reached: tried …';
const ABSENT = 'plugin "calico-ipam" not found';

function inspected(id: string, more: Partial<Record<string, unknown>> = {}): object {
  const { error = ANSWERED, policy = 'always', network = 'net1', running = false } = more;
  return {
    Id: id,
    Name: `/${id}`,
    Created: more['created'] ?? '2026-08-01T10:00:00.5Z',
    State: { Running: running, Error: error, ExitCode: more['exitCode'] ?? 255, StartedAt: 'then' },
    HostConfig: { RestartPolicy: { Name: policy, MaximumRetryCount: 0 } },
    NetworkSettings: { Networks: { [String(network)]: { NetworkID: '' } } },
  };
}

t.test(
  'whom to start: our network, our error, a restart policy, not by a user’s hand',
  async (t) => {
    const dataRoot = t.testdir();
    const record = (id: string, stopped: boolean): void => {
      mkdirSync(join(dataRoot, 'containers', id), { recursive: true });
      const text = JSON.stringify({ ID: id, HasBeenManuallyStopped: stopped });
      writeFileSync(join(dataRoot, 'containers', id, 'config.v2.json'), text);
    };
    record('byHand', true);
    record('gracefully', false);
    const bodies = [
      inspected('young', { created: '2026-08-03T10:00:00Z' }),
      inspected('old', { error: ABSENT, policy: 'unless-stopped' }),
      inspected('running', { running: true }),
      inspected('noPolicy', { policy: 'no' }),
      inspected('itsOwnFault', { error: 'OCI runtime create failed: exec: "nothing"' }),
      inspected('elsewhere', { network: 'bridge' }),
      inspected('byHand', { exitCode: 137 }),
      inspected('gracefully', { exitCode: 137, created: '2026-08-02T10:00:00Z' }),
      inspected('unknownHand', { exitCode: 137 }),
      {},
    ];
    const stopped = bodies.flatMap((body) => readStoppedContainer(body) ?? []);
    const engine = { dataRoot, stoppedContainers: () => Promise.resolve(stopped) };
    const found = await failedStarts(engine, NETWORKS);
    t.same(
      found.map(({ id }) => id),
      ['old', 'young'],
      'in order of creation; after a crash what has another exit code did not run',
    );
    const orderly = stopped.filter(({ exitCode }) => exitCode !== 255);
    const again = await failedStarts(
      { dataRoot, stoppedContainers: () => Promise.resolve(orderly) },
      NETWORKS,
    );
    t.same(
      again.map(({ id }) => id),
      ['unknownHand', 'gracefully'],
      'after an orderly end Docker’s own record decides',
    );
  },
);

t.test('each once, however often it is asked, and only when the store answers', async (t) => {
  const container = readStoppedContainer(inspected('aa'));
  if (container === undefined) throw new Error('the container cannot be read');
  const failed: StoppedContainer[] = [container, { ...container, id: 'bb', name: 'bb' }];
  const started: string[] = [];
  let looks = 0;
  let answers = false;
  const worker = createStartAgain({
    inventory: {
      failedStarts: () => {
        looks += 1;
        return Promise.resolve(failed);
      },
      startContainer: (id) => {
        started.push(id);
        return id === 'aa'
          ? Promise.reject(new Fault('unavailable', 'http 500', { reason: 'http-500' }))
          : Promise.resolve();
      },
    },
    storeAnswers: () =>
      answers ? Promise.resolve() : Promise.reject(new Fault('unavailable', 'down')),
    log: silentLog,
    settleMs: 1,
  });
  worker.wake();
  t.same(started, []);
  answers = true;
  await until(() => started.length === 2, 'both to be started');
  for (const look of [2, 3]) {
    worker.wake();
    await until(() => looks === look, 'another look');
  }
  t.same(started, ['aa', 'bb'], 'the one that failed again is the user’s');
  failed[0] = { ...container, startedAt: 'later' };
  worker.wake();
  await until(() => started.length === 3, 'one that ran meanwhile and failed on us again');
  t.same(worker.counts, { started: 1, failed: 2 });
  await worker.stop();
});
