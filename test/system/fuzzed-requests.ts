import t from 'tap';
import { fuzz } from '../fixtures/fuzz-check.js';
import { labObstacle } from '../fixtures/lab-host.js';

/** The short form of test/long/fuzzed-requests.ts; the seed is kept, so that a failure can be run again. */
const SEED = Number(process.env['CALICO_TEST_SEED'] ?? 20_263);

t.test(`fuzzed requests, seed ${SEED}`, { skip: labObstacle() ?? false, timeout: 300_000 }, (t) =>
  // The heap has not grown to the size that it needs when so few are over.
  fuzz(t, { seed: SEED, warmUp: 3_000, requests: 9_000, seconds: 60, growthMiB: 200 }),
);
