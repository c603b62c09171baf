import t from 'tap';
import { compareHostVerdicts } from '../fixtures/compare-host-verdicts.js';
import { compareVerdicts } from '../fixtures/compare-verdicts.js';
import { inPrivateNamespace } from '../fixtures/private-namespace.js';

const seed = Number(process.env['CALICO_TEST_SEED'] ?? Date.now() % 2 ** 31);

const given = process.env['CALICO_TEST_SECONDS'];
/** Half of the time for each. */
const bound = given === undefined ? {} : { seconds: Number(given) / 2 };

await inPrivateNamespace(
  import.meta.url,
  () => {
    t.test(`2,000 random policies, seed ${seed}`, async (t) => {
      await compareVerdicts(t, { runs: 2000, seed, ...bound });
    });
    t.test(`1,000 random hosts with host endpoints, seed ${seed}`, async (t) => {
      await compareHostVerdicts(t, { runs: 1000, seed, ...bound });
    });
  },
  { timeoutMs: 3_600_000 },
);
