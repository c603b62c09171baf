import t from 'tap';
import { Fault } from '../../src/base/index.js';
import { checkTransaction, commitOrConflict, retryOnConflict } from '../../src/datastore/index.js';
import { faultOf } from '../fixtures/fault-of.js';
import { createFaultyStore } from '../fixtures/faulty-store.js';
import { createMemoryStore } from '../fixtures/memory-store.js';

t.test('a conflict repeats with what the failed commit read', async (t) => {
  const inner = createMemoryStore({ entries: { '/n': '1' } });
  const store = createFaultyStore(inner);
  store.beforeCommit(async () => void inner.put('/n', '10'));
  const attempts: number[] = [];
  await retryOnConflict(5, async (attempt, current) => {
    attempts.push(attempt);
    const entry = current === undefined ? await store.get('/n') : current.get('/n');
    const transaction = {
      compares: [{ key: '/n', revision: entry?.revision ?? 0n }],
      writes: [{ key: '/n', value: String(Number(entry?.value) + 1) }],
      reads: ['/n'],
    };
    return commitOrConflict(store, transaction, 'the number');
  });
  t.strictSame(attempts, [1, 2]);
  t.equal((await inner.get('/n'))?.value, '11');
  t.equal(store.roundTrips, 3, 'one read, two commits');
});

t.test('everything else leaves at once', async (t) => {
  for (const kind of ['outcome-unknown', 'unavailable', 'exists'] as const) {
    let tries = 0;
    const fault = await faultOf(
      retryOnConflict(5, async () => {
        tries += 1;
        throw new Fault(kind, 'x');
      }),
    );
    t.equal(fault.kind, kind);
    t.equal(tries, 1);
  }
});

t.test('gives up after the attempts, still a conflict', async (t) => {
  let tries = 0;
  const fault = await faultOf(
    retryOnConflict(3, async () => {
      tries += 1;
      throw new Fault('conflict', 'the block was changed', { reason: 'block-changed' });
    }),
  );
  t.equal(tries, 3);
  t.equal(fault.kind, 'conflict');
  t.equal(fault.reason, 'block-changed');
  t.equal(fault.message, 'the block was changed; gave up after 3 attempts, try again');
});

t.test('what etcd refuses is refused before it is sent', async (t) => {
  const reasonOf = async (...[transaction]: Parameters<typeof checkTransaction>): Promise<string> =>
    (await faultOf(() => checkTransaction(transaction))).reason;
  const many = Array.from({ length: 129 }, (_, index) => ({ key: `/k${index}`, value: '' }));
  t.equal(await reasonOf({ compares: [], writes: many }), 'too-many-operations');
  t.equal(
    await reasonOf({ compares: [], writes: [], reads: many.map((w) => w.key) }),
    'too-many-operations',
  );
  t.equal(
    await reasonOf({ compares: [], writes: [{ key: '/k', value: 'x'.repeat(1_600_000) }] }),
    'too-large',
  );
  t.equal(
    await reasonOf({
      compares: [],
      writes: [
        { key: '/k', value: '' },
        { key: '/k', value: null },
      ],
    }),
    'duplicate-key',
  );
  t.equal(await reasonOf({ compares: [{ key: '', revision: 0n }], writes: [] }), 'empty-key');
  checkTransaction({ compares: [], writes: many.slice(1), reads: ['/k'] });
});
