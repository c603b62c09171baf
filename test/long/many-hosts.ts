import t from 'tap';
import { startEtcd } from '../fixtures/etcd-server.js';
import { runCrowd } from '../fixtures/host-crowd.js';

const number = (name: string, otherwise: number): number => Number(process.env[name] ?? otherwise);
/** A million and 600 make a thousand kills and more. */
const OPERATIONS = number('CALICO_CROWD_OPERATIONS', 300_000);
const KILL_ONE_IN = number('CALICO_CROWD_KILL_ONE_IN', 600);
/** What the runner has left for this file, in seconds. */
const SECONDS = number('CALICO_TEST_SECONDS', Infinity);
const SEED = number('CALICO_TEST_SEED', 20_262);

t.test(
  '32 hosts on one pool, the members of etcd and the hosts killed all the while',
  async (t) => {
    const etcd = await startEtcd({ members: 3 });
    t.teardown(() => etcd.close());
    const started = performance.now();
    const result = await runCrowd(etcd, {
      hosts: 32,
      operations: OPERATIONS,
      killOneIn: KILL_ONE_IN,
      seed: SEED,
      killLeaderEveryMs: 10_000,
      until: () => performance.now() - started > SECONDS * 1000,
      progress: (text) => t.comment(text),
    });
    const seconds = Math.round((performance.now() - started) / 1000);
    t.comment(
      `${result.answered} answered of ${OPERATIONS} calls in ${seconds} s; failed: ${JSON.stringify([...result.failed])}`,
    );
    t.comment(
      `${result.kills} hosts killed at ${result.steps.join(' ')}; leader ${result.leaderKills} times`,
    );
    t.ok(result.kills >= result.answered / 600, 'one kill for every six hundred calls');
    t.ok(result.leaderKills > 0 || seconds < 20, 'the leader died');
    t.same(result.doubled, [], 'no address had two holders');
    t.same(result.differences, [], 'and none is lost');
  },
);
