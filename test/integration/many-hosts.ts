import t from 'tap';
import { startEtcd } from '../fixtures/etcd-server.js';
import { runCrowd } from '../fixtures/host-crowd.js';

/** The short form of test/long/many-hosts.ts; the seed is kept, so that a failure can be run again. */
const SEED = Number(process.env['CALICO_TEST_SEED'] ?? 20_261);

t.test('eight hosts on one pool, killed at steps of the datastore', async (t) => {
  const etcd = await startEtcd();
  t.teardown(() => etcd.close());
  const result = await runCrowd(etcd, {
    hosts: 8,
    operations: 6_000,
    killOneIn: 1_200,
    seed: SEED,
    killLeaderEveryMs: 0,
    progress: (text) => t.comment(text),
  });
  t.comment(`${result.answered} answered, ${result.kills} kills at ${result.steps.join(' ')}`);
  t.ok(result.kills > 0, 'processes died');
  t.same(result.doubled, [], 'no address had two holders');
  t.same(result.differences, [], 'and none is lost');
});

t.test('without the compares the checker sees it', async (t) => {
  const etcd = await startEtcd();
  t.teardown(() => etcd.close());
  const result = await runCrowd(etcd, {
    hosts: 8,
    // Less than they want: they share every block.
    cidr: '10.9.0.0/26',
    operations: 4_000,
    killOneIn: 0,
    seed: SEED,
    killLeaderEveryMs: 0,
    withoutCompares: true,
    progress: (text) => t.comment(text),
  });
  t.ok(result.doubled.length > 0, `${result.doubled.length} addresses had two holders`);
});
