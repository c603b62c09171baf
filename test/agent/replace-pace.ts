import t, { type Test } from 'tap';
import { ReplacePace } from '../../src/agent/replace-pace.js';
import { silentLog } from '../../src/base/index.js';
import { until } from '../fixtures/until.js';

interface Trial {
  readonly pace: ReplacePace;
  readonly time: { now: number };
  readonly replaced: () => number;
}

function createTrial(t: Test): Trial {
  const time = { now: 0 };
  let replaced = 0;
  const pace = new ReplacePace({
    clock: { now: () => time.now, monotonic: () => time.now },
    log: silentLog,
    replace: () => (replaced += 1),
  });
  t.teardown(() => pace.close());
  return { pace, time, replaced: () => replaced };
}

t.test('what others change now and then is replaced at once, for ever', async (t) => {
  const { pace, time, replaced } = createTrial(t);
  for (let at = 0; at < 1000; at += 1) {
    time.now += 300;
    pace.onChange();
  }
  t.equal(replaced(), 1000);
});

t.test(
  'a program that undoes each replacement is not answered as fast as it goes on',
  async (t) => {
    const { pace, time, replaced } = createTrial(t);
    for (let at = 0; at < 1000; at += 1) pace.onChange();
    t.equal(replaced(), 20, 'some at once');
    await until(() => replaced() === 21, 'one after a pause for all that came in it');
    time.now += 1000;
    for (let at = 0; at < 1000; at += 1) pace.onChange();
    t.equal(replaced(), 24, 'time brings more of them');
  },
);
