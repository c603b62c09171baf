import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { readdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import t, { type Test } from 'tap';
import { Fault, silentLog, systemClock } from '../../src/base/index.js';
import {
  createPending,
  type Pending,
  type PendingOptions,
  type PendingWork,
} from '../../src/reconcile/index.js';
import { faultOf } from '../fixtures/fault-of.js';
import { until } from '../fixtures/until.js';

const soon = (): AbortSignal => AbortSignal.timeout(10_000);

interface Given extends Partial<PendingOptions> {
  readonly directory: string;
}

function start(t: Test, given: Given): Pending {
  const pending = createPending({
    log: silentLog,
    clock: systemClock,
    perform: async () => undefined,
    pauseMs: { first: 1, last: 4 },
    ...given,
  });
  t.teardown(() => pending.stop());
  return pending;
}

const down = async (): Promise<never> => {
  throw new Fault('unavailable', 'the store is down');
};
const files = (directory: string): string[] => readdirSync(directory).sort();

t.test('work is on the disk before record resolves, and survives to the next life', async (t) => {
  const directory = join(t.testdir(), 'pending');
  const first = start(t, { directory, perform: down });
  await first.record('release-address', { address: '10.0.0.1', handle: 'h1' });
  t.equal(files(directory).length, 1);
  await first.record('delete-endpoint', { endpointId: 'e1' });
  await first.record('release-address', { handle: 'h1', address: '10.0.0.1' });
  t.equal(
    files(directory).length,
    2,
    'a repeated call is one work, whatever the order of its members',
  );
  await first.stop();

  const done: PendingWork[] = [];
  const second = start(t, { directory, perform: async (work) => void done.push(work) });
  await second.idle(soon());
  t.match(done, [
    { kind: 'release-address', payload: { address: '10.0.0.1', handle: 'h1' } },
    { kind: 'delete-endpoint', payload: { endpointId: 'e1' } },
  ]);
  t.same(second.list(), []);
  t.same(files(directory), []);
});

t.test(
  'the store is tried again until it answers, in order, and wake cuts the pause short',
  async (t) => {
    const directory = t.testdir();
    let isDown = true;
    let tries = 0;
    const done: string[] = [];
    const pending = start(t, {
      directory,
      pauseMs: { first: 60_000, last: 60_000 },
      perform: async (work) => {
        tries += 1;
        if (isDown) throw new Fault('timeout', 'no answer');
        done.push(work.payload['n'] ?? '');
      },
    });
    for (const n of ['1', '2', '3']) await pending.record('delete-network', { n });
    await until(() => tries > 0, 'the first try');
    const before = tries;
    pending.wake();
    await until(
      () => tries === before + 1,
      'one more, and not all three, while nothing gets through',
    );
    isDown = false;
    pending.wake();
    await pending.idle(soon());
    t.same(done, ['1', '2', '3']);
  },
);

t.test('one work that conflicts does not hold up the others', async (t) => {
  let raced = true;
  const done: string[] = [];
  const pending = start(t, {
    directory: t.testdir(),
    perform: async (work) => {
      if (work.payload['n'] === '1' && raced) {
        raced = done.length < 2;
        throw new Fault('conflict', 'somebody else was faster');
      }
      done.push(work.payload['n'] ?? '');
    },
  });
  for (const n of ['1', '2', '3']) await pending.record('release-pool', { n });
  await pending.idle(soon());
  t.same(done, ['2', '3', '1']);
});

t.test('a final fault drops the work; a refusing store does not', async (t) => {
  const directory = t.testdir();
  const faults = new Map([
    ['1', new Fault('refused', 'out of space')],
    ['2', new Fault('corrupt', 'unreadable block')],
    ['3', new Fault('not-found', 'no such pool')],
    ['4', new Fault('outcome-unknown', 'reply lost')],
  ]);
  const tried: string[] = [];
  const pending = start(t, {
    directory,
    perform: async (work) => {
      const n = work.payload['n'] ?? '';
      tried.push(n);
      const fault = faults.get(n);
      if (fault !== undefined) throw fault;
    },
  });
  for (const n of ['1', '2', '3', '4']) await pending.record('release-pool', { n });
  await until(() => pending.list().length === 2, 'the final ones to go');
  t.same(
    pending.list().map(({ payload }) => payload['n']),
    ['1', '4'],
  );
  t.equal(files(directory).length, 2);
  faults.clear();
  await pending.idle(soon());
  t.equal(tried.filter((n) => n === '2').length, 1);
});

t.test('damaged files are left alone and said; half written ones go', async (t) => {
  const directory = t.testdir();
  const seed = start(t, { directory, perform: down });
  await seed.record('release-address', { handle: 'good' });
  await seed.stop();
  const [good = ''] = files(directory);
  writeFileSync(join(directory, `${'0'.repeat(32)}.json`), '{"id":"0');
  writeFileSync(join(directory, `${'1'.repeat(32)}.json`), '');
  writeFileSync(
    join(directory, `${'2'.repeat(32)}.json`),
    JSON.stringify({ id: '2'.repeat(32), kind: 'drop-table', payload: {}, recordedAt: 1 }),
  );
  writeFileSync(
    join(directory, `${'3'.repeat(32)}.json`),
    JSON.stringify({ id: 'other', kind: 'release-pool', payload: {}, recordedAt: 1 }),
  );
  writeFileSync(
    join(directory, `${'4'.repeat(32)}.json`),
    JSON.stringify({ id: '4'.repeat(32), kind: 'release-pool', payload: { a: 1 }, recordedAt: 1 }),
  );
  writeFileSync(join(directory, 'x.123.tmp'), '{');
  writeFileSync(join(directory, 'README'), 'not ours');
  const done: string[] = [];
  const pending = start(t, {
    directory,
    perform: async (work) => void done.push(work.payload['handle'] ?? '?'),
  });
  await pending.idle(soon());
  t.same(done, ['good']);
  t.same(
    [...pending.damaged()].sort(),
    ['0', '1', '2', '3', '4'].map((digit) => `${digit.repeat(32)}.json`),
  );
  t.notOk(files(directory).includes(good));
  t.notOk(files(directory).includes('x.123.tmp'));
  t.ok(files(directory).includes('README'));
});

t.test('the number is bounded, and a full queue keeps what it has', async (t) => {
  const directory = t.testdir();
  const pending = start(t, { directory, perform: down, most: 2 });
  const results = await Promise.allSettled(
    ['1', '2', '3', '4'].map((n) => pending.record('release-pool', { n })),
  );
  t.equal(results.filter(({ status }) => status === 'fulfilled').length, 2);
  t.match(await faultOf(pending.record('release-pool', { n: '5' })), {
    kind: 'exhausted',
    reason: 'pending-full',
    message: /2 deletions are pending already/,
  });
  const [kept] = pending.list();
  if (kept !== undefined) await pending.record(kept.kind, kept.payload);
  t.equal(files(directory).length, 2);
});

t.test('the same call at once is stored once', async (t) => {
  const directory = t.testdir();
  const pending = start(t, { directory, perform: down });
  await Promise.all(
    Array.from({ length: 20 }, () => pending.record('delete-endpoint', { endpointId: 'e' })),
  );
  t.equal(pending.list().length, 1);
  t.equal(files(directory).length, 1);
});

t.test('a folder that cannot be used fails the record, not the program', async (t) => {
  const directory = join(t.testdir({ file: '' }), 'file');
  const pending = start(t, { directory });
  t.match(await faultOf(pending.record('release-pool', { n: '1' })), {
    kind: 'unavailable',
    reason: 'state-folder',
  });
});

t.test('stop leaves what is not done', async (t) => {
  const directory = t.testdir();
  let begun = false;
  const pending = start(t, {
    directory,
    perform: async (_work, signal) => {
      begun = true;
      await new Promise((_resolve, reject) =>
        signal.addEventListener('abort', () => reject(new Error('stopped'))),
      );
    },
  });
  await pending.record('release-pool', { n: '1' });
  await until(() => begun, 'the try');
  await pending.stop();
  t.equal(files(directory).length, 1);
});

t.test('kill -9 at any moment loses nothing that was acknowledged', async (t) => {
  for (const after of [1, 20, 57]) {
    const directory = join(t.testdir(), `killed-${after}`);
    const child = spawn(
      process.execPath,
      ['--import=tsx', 'test/fixtures/pending-recorder.ts', directory],
      {
        stdio: ['ignore', 'pipe', 'inherit'],
      },
    );
    let acknowledged = '';
    child.stdout.setEncoding('utf8');
    child.stdout.on('data', (text: string) => {
      acknowledged += text;
      if (acknowledged.split('\n').length > after) child.kill('SIGKILL');
    });
    await once(child, 'close');
    const numbers = acknowledged.split('\n').slice(0, -1);
    t.ok(numbers.length >= after);
    const pending = start(t, { directory, perform: down });
    await until(() => pending.list().length > 0, 'the work');
    const found = new Set(pending.list().map(({ payload }) => payload['number']));
    t.same(
      numbers.filter((number) => !found.has(number)),
      [],
      `${numbers.length} were acknowledged`,
    );
    t.same(pending.damaged(), [], 'and nothing is torn');
    await pending.stop();
    t.notOk(files(directory).some((name) => name.endsWith('.tmp')));
  }
});
