import t from 'tap';
import { compareVerdicts } from '../fixtures/compare-verdicts.js';
import { inPrivateNamespace } from '../fixtures/private-namespace.js';

await inPrivateNamespace(import.meta.url, () => {
  t.test('random policies: the kernel does what the evaluator says', async (t) => {
    // The long form is test/long/policy-random.ts.
    await compareVerdicts(t, { runs: 40, seed: 20_261_121 });
  });
});
