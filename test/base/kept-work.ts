import t from 'tap';
import { Fault, KeptWork, silentLog } from '../../src/base/index.js';
import { until } from '../fixtures/until.js';

t.test('marks share a run, and nothing runs before the start', async (t) => {
  let runs = 0;
  let release = (): void => undefined;
  const kept = new KeptWork({
    ...{ what: 'it failed', log: silentLog, boundMs: 10_000 },
    work: async () => {
      runs += 1;
      await new Promise<void>((resolve) => (release = resolve));
    },
  });
  kept.mark();
  t.equal(runs, 0);
  kept.start();
  await until(() => runs === 1, 'the first run');
  for (let count = 0; count < 5; count += 1) kept.mark();
  release();
  await until(() => runs === 2, 'the second run');
  const stopped = kept.stop();
  release();
  await stopped;
  kept.mark();
  t.equal(runs, 2, 'five marks were one run, and none comes after the stop');
});

t.test('a failure is told and tried again, at once after a mark', async (t) => {
  let fails = true;
  let runs = 0;
  const kept = new KeptWork({
    ...{ what: 'it failed', log: silentLog, boundMs: 10_000 },
    work: async () => {
      runs += 1;
      if (fails) throw new Fault('unavailable', 'not now');
    },
  });
  t.teardown(() => kept.stop());
  kept.start();
  await until(() => kept.problem === 'not now', 'the problem');
  await until(() => runs >= 3, 'tries with growing pauses');
  fails = false;
  kept.mark();
  await until(() => kept.problem === undefined, 'its end');
});

t.test('a run that hangs ends with its bound', async (t) => {
  const kept = new KeptWork({
    ...{ what: 'it failed', log: silentLog, boundMs: 20 },
    work: (signal) =>
      new Promise((_, reject) => signal.addEventListener('abort', () => reject(signal.reason))),
  });
  t.teardown(() => kept.stop());
  kept.start();
  await until(() => kept.problem !== undefined, 'the bound');
});
