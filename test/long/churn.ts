import t from 'tap';
import { startCalicoHost } from '../fixtures/calico-host.js';
import { Churn, CHURN_POOLS } from '../fixtures/churn.js';
import { engineObstacle } from '../fixtures/docker-engine.js';
import { footprint } from '../fixtures/footprint.js';
import { flat } from '../fixtures/fuzz-check.js';
import { until } from '../fixtures/until.js';

const number = (name: string, otherwise: number): number => Number(process.env[name] ?? otherwise);
/** A start and a stop a second make an hour of it. */
const CYCLES = number('CALICO_CHURN_CYCLES', 3_600);
const SEED = number('CALICO_TEST_SEED', 20_265);
/** The looks take some of what the runner has left for this file, and the last one a minute and more. */
const LEFT = Math.min(700, number('CALICO_TEST_SECONDS', Infinity));
const SECONDS = LEFT - (LEFT >= 500 ? 200 : 60);
/** Until everything has been seen once, and the heap has the size that it needs. */
const WARM_UP = 960;
const GROWTH_MIB = 32;

t.test(
  `${CYCLES} containers come and go, seed ${SEED}`,
  { skip: engineObstacle('20.10') ?? false, timeout: (Math.max(SECONDS, 60) + 240) * 1000 },
  async (t) => {
    const host = await startCalicoHost(t, {
      ...{ dockerd: false, store: 'etcd' },
      daemon: {
        env: {
          ...{ CALICO_LIBNETWORK_RECLAIM: 'off', NO_DEFAULT_POOLS: 'true', IP6: 'none' },
          CALICO_LIBNETWORK_LOG_LEVEL: 'error',
        },
      },
    });
    const made = await host.calicoctl(['create', '-f', '-'], CHURN_POOLS);
    t.equal(made.status, 0, made.stderr);
    const churn = new Churn(host, SEED);
    const started = performance.now();
    const after = (share: number): boolean =>
      performance.now() - started > Math.max(0, SECONDS) * share * 1000;
    await churn.run(() => churn.tally.cycles >= WARM_UP || after(0.4));
    const before = await footprint(host);
    await churn.run(() => churn.tally.cycles >= WARM_UP + CYCLES || after(1));
    t.comment(JSON.stringify(churn.tally));
    await flat(t, before, () => footprint(host), GROWTH_MIB);
    if (SECONDS >= 300) {
      const rules = (): Promise<string> => host.host.must('nft', ['list', 'ruleset']);
      const gone = async (): Promise<boolean> => !(await rules()).includes('churn-');
      await until(gone, 'the chains of deleted policies to go', 150_000);
    }
    const { stdout } = await host.run('find', [
      '/run/calico',
      '-name',
      '*.journal',
      '-size',
      '+1M',
    ]);
    t.equal(stdout, '', 'what is kept on file is written anew');
    t.equal(await host.host.must('ip', ['netns', 'list']), '', 'no namespace is left');
    t.equal(host.daemon().log(), '', 'and nothing went wrong');
  },
);
