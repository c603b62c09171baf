import t from 'tap';
import { compareHostVerdicts } from '../fixtures/compare-host-verdicts.js';
import { inPrivateNamespace } from '../fixtures/private-namespace.js';

await inPrivateNamespace(import.meta.url, () => {
  t.test('random host endpoints: the kernel does what the evaluator says', async (t) => {
    // The long form is test/long/policy-random.ts.
    await compareHostVerdicts(t, { runs: 25, seed: 20_261_121 });
  });
});
