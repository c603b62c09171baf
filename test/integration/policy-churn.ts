import t from 'tap';
import { churnPolicies } from '../fixtures/policy-churn.js';
import { inPrivateNamespace } from '../fixtures/private-namespace.js';

await inPrivateNamespace(import.meta.url, () => {
  t.test('50 changes of policy a second, and an agent that is killed', async (t) => {
    // The long form is test/long/policy-churn.ts.
    await churnPolicies(t, { seconds: 6, seed: 20_261_121, killEvery: 60 });
  });
});
