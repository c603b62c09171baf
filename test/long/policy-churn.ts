import t from 'tap';
import { churnPolicies } from '../fixtures/policy-churn.js';
import { inPrivateNamespace } from '../fixtures/private-namespace.js';

const seed = Number(process.env['CALICO_TEST_SEED'] ?? Date.now() % 2 ** 31);
const given = process.env['CALICO_TEST_SECONDS'];
/** Some of the time that is given is the walk's own, and the lives' between the deaths. */
const seconds = given === undefined ? 60 : Math.max(5, Math.min(60, Number(given) - 30));

await inPrivateNamespace(
  import.meta.url,
  () => {
    t.test(`50 changes of policy a second, seed ${seed}`, { timeout: 300_000 }, async (t) => {
      await churnPolicies(t, { seconds, seed, killEvery: 120 });
    });
  },
  { timeoutMs: 360_000 },
);
