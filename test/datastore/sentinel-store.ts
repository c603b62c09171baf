import t from 'tap';
import { isFault } from '../../src/base/index.js';
import { withSentinels, type Entry } from '../../src/datastore/index.js';
import { createMemoryStore } from '../fixtures/memory-store.js';

const BESIDE = '/calico/resources/';
const KEY = `${BESIDE}sentinel`;

function guarded() {
  const memory = createMemoryStore({ entries: { [KEY]: 'one', [`${BESIDE}pools/a`]: 'pool' } });
  const written: bigint[] = [];
  const store = withSentinels(memory, {
    listed: [KEY],
    watched: { key: KEY, beside: BESIDE },
    judging: () => (key, entry: Entry | undefined) =>
      key === KEY && entry?.value !== 'one'
        ? `the sentinel is ${entry?.value ?? 'gone'}`
        : undefined,
    onWritten: (revision) => written.push(revision),
  });
  return { memory, store, written };
}

const exchanged = (error: unknown): boolean =>
  isFault(error, 'refused') && error.reason === 'datastore-exchanged';

t.test('while the sentinel stands the store is what it is', async (t) => {
  const { store, written } = guarded();
  const { entries } = await store.list(`${BESIDE}pools/`);
  t.same(
    entries.map(({ key }) => key),
    [`${BESIDE}pools/a`],
    'the sentinel is not told',
  );
  const result = await store.commit({ compares: [], writes: [{ key: '/calico/x', value: '1' }] });
  t.same(written, [result.revision]);
  t.equal(store.exchanged?.aborted, false);
});

t.test('a list of another store is never delivered', async (t) => {
  const { memory, store } = guarded();
  memory.put(KEY, 'two');
  await t.rejects(store.list(`${BESIDE}pools/`), /the sentinel is two/);
  t.equal(store.exchanged?.aborted, true);
  for (const call of [
    store.get(KEY),
    store.commit({ compares: [], writes: [{ key: '/calico/x', value: '1' }] }),
    store.identify(),
    store.hold('/calico/h', '', 5),
  ]) {
    t.ok(
      exchanged(
        await call.then(
          () => undefined,
          (error: unknown) => error,
        ),
      ),
    );
  }
  t.notOk('/calico/x' in memory.dump(), 'nothing is written there');
});

t.test('changes that come with that of the sentinel are not delivered either', async (t) => {
  const { memory, store } = guarded();
  const told: string[] = [];
  const lost: string[] = [];
  const { revision } = await store.list(`${BESIDE}pools/`);
  store.watch({
    prefixes: [`${BESIDE}pools/`],
    from: revision + 1n,
    onChanges: (changes) => told.push(...changes.map((one) => one.type)),
    onLost: (reason) => lost.push(reason.reason),
  });
  memory.put(`${BESIDE}pools/b`, 'pool');
  await Promise.resolve();
  t.same(told, ['put']);
  await memory.commit({
    compares: [],
    writes: [KEY, `${BESIDE}pools/a`, `${BESIDE}pools/b`].map((key) => ({ key, value: null })),
  });
  t.same(told, ['put'], 'all of it went at once, and nobody was told');
  t.same(lost, ['datastore-exchanged']);
  t.equal(memory.openWatches, 0);
});

t.test('a watch far from the sentinel is left alone', async (t) => {
  const { memory, store } = guarded();
  const told: string[] = [];
  store.watch({
    prefixes: ['/calico/docker/'],
    from: 1n,
    onChanges: (changes) => told.push(...changes.map((one) => one.type)),
    onLost: () => told.push('lost'),
  });
  memory.put(KEY, 'two');
  memory.put('/calico/docker/x', '1');
  await Promise.resolve();
  t.same(told, ['put']);
});
