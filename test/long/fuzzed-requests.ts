import t from 'tap';
import { fuzz } from '../fixtures/fuzz-check.js';
import { labObstacle } from '../fixtures/lab-host.js';

const number = (name: string, otherwise: number): number => Number(process.env[name] ?? otherwise);
const REQUESTS = number('CALICO_FUZZ_REQUESTS', 1_000_000);
const SEED = number('CALICO_TEST_SEED', 20_264);
/** The last look takes some of what the runner has left for this file. */
const SECONDS = number('CALICO_TEST_SECONDS', 1_330) - 30;

t.test(
  `${REQUESTS} fuzzed requests, seed ${SEED}`,
  { skip: labObstacle() ?? false, timeout: (SECONDS + 150) * 1000 },
  (t) =>
    fuzz(t, {
      ...{ seed: SEED, warmUp: Math.min(60_000, REQUESTS / 2), requests: REQUESTS },
      ...{ seconds: SECONDS, growthMiB: 48 },
    }),
);
