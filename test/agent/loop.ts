import t, { type Test } from 'tap';
import { Loop } from '../../src/agent/loop.js';
import { Fault, silentLog, systemClock } from '../../src/base/index.js';
import { until } from '../fixtures/until.js';

interface Trial {
  readonly loop: Loop<'one' | 'two'>;
  readonly log: string[];
  readonly end: AbortController;
  work: (name: string) => Promise<void> | void;
}

function createTrial(t: Test): Trial {
  const end = new AbortController();
  t.teardown(() => end.abort());
  const trial: Trial = {
    log: [],
    end,
    work: () => undefined,
    loop: new Loop({
      parts: (['one', 'two'] as const).map((name) => ({
        name,
        settleMs: name === 'one' ? 0 : 5,
        apply: async () => {
          trial.log.push(name);
          await trial.work(name);
        },
      })),
      log: silentLog,
      clock: systemClock,
      signal: end.signal,
    }),
  };
  return trial;
}

t.test('marks that come together cost one apply', async (t) => {
  const { loop, log } = createTrial(t);
  for (let at = 0; at < 100; at += 1) loop.mark('two');
  await loop.idle();
  t.same(log, ['two']);
  t.match(loop.status(), { two: { state: 'idle', applied: 1, failures: 0 } });
});

t.test('a mark during an apply costs another', async (t) => {
  const trial = createTrial(t);
  let first = true;
  trial.work = () => {
    if (first) trial.loop.mark('one');
    first = false;
  };
  trial.loop.mark('one');
  await trial.loop.idle();
  t.same(trial.log, ['one', 'one']);
});

t.test('what fails is tried again and holds up no other', async (t) => {
  const trial = createTrial(t);
  let failures = 2;
  trial.work = (name) => {
    if (name === 'one' && failures-- > 0) throw new Fault('unavailable', 'not now');
  };
  trial.loop.mark('one');
  await until(() => trial.loop.status()['one']?.state === 'failed', 'the failure');
  t.match(trial.loop.status()['one'], { lastError: 'not now' });
  trial.loop.mark('two');
  await until(() => trial.log.includes('two'), 'the other part');
  await trial.loop.idle();
  t.equal(trial.log.filter((name) => name === 'one').length, 3);
  t.match(trial.loop.status()['one'], { state: 'idle', failures: 2, applied: 1 });
  t.notOk('lastError' in (trial.loop.status()['one'] ?? {}));
});

t.test('a new mark is tried at once', async (t) => {
  const trial = createTrial(t);
  let broken = true;
  trial.work = () => {
    if (broken) throw new Fault('unavailable', 'not now');
  };
  trial.loop.mark('one');
  // After some failures the pause is far longer than this test.
  await until(() => (trial.loop.status()['one']?.failures ?? 0) >= 3, 'failures');
  broken = false;
  const before = performance.now();
  trial.loop.mark('one');
  await trial.loop.idle();
  t.ok(performance.now() - before < 100);
});

t.test('the end', async (t) => {
  const trial = createTrial(t);
  trial.work = () => {
    trial.end.abort();
    throw new Fault('unavailable', 'called off');
  };
  trial.loop.mark('one');
  trial.loop.mark('two');
  await trial.loop.idle();
  t.same(trial.log, ['one'], 'nothing begins after the end');
  trial.loop.mark('two');
  await trial.loop.idle();
  t.same(trial.log, ['one']);
});
