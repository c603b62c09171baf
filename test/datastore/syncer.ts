import t from 'tap';
import { Fault, silentLog } from '../../src/base/index.js';
import { createSyncer, type Entry, type SyncListener } from '../../src/datastore/index.js';
import { faultOf } from '../fixtures/fault-of.js';
import { createFaultyStore } from '../fixtures/faulty-store.js';
import { createMemoryStore } from '../fixtures/memory-store.js';
import { until } from '../fixtures/until.js';

/** Keeps the state that the calls add up to, and every call. */
function recorder(): SyncListener & {
  readonly calls: string[];
  readonly state: Map<string, string>;
} {
  const calls: string[] = [];
  const state = new Map<string, string>();
  return {
    calls,
    state,
    onSnapshot(all: ReadonlyMap<string, Entry>) {
      state.clear();
      for (const [key, entry] of all) state.set(key, entry.value);
      calls.push(`snapshot ${[...all.keys()].join(',')}`);
    },
    onChange(key, entry) {
      if (entry === undefined) state.delete(key);
      else state.set(key, entry.value);
      calls.push(`${key}=${entry?.value ?? ''}`);
    },
  };
}

t.test('one snapshot of all prefixes, then each change once', async (t) => {
  const store = createMemoryStore({ entries: { '/a/1': 'x', '/b/1': 'y', '/c/1': 'z' } });
  const listener = recorder();
  const syncer = createSyncer({ store, prefixes: ['/a/', '/b/'], listener, log: silentLog });
  t.teardown(() => syncer.stop());
  t.notOk(syncer.inSync);
  await syncer.ready();
  t.ok(syncer.inSync);
  store.put('/a/2', 'new');
  store.put('/c/2', 'not asked for');
  store.delete('/b/1');
  await until(() => listener.calls.length === 3, 'three calls');
  t.strictSame(listener.calls, ['snapshot /a/1,/b/1', '/a/2=new', '/b/1=']);
});

t.test('a change between the list and the watch is not missed', async (t) => {
  const inner = createMemoryStore({ entries: { '/a/1': 'x' } });
  const store = {
    ...inner,
    list: async (prefix: string | readonly string[]) => {
      const snapshot = await inner.list(prefix);
      inner.put('/a/2', 'between');
      return snapshot;
    },
  };
  const listener = recorder();
  const syncer = createSyncer({ store, prefixes: ['/a/'], listener, log: silentLog });
  t.teardown(() => syncer.stop());
  await until(() => listener.calls.length === 2, 'two calls');
  t.strictSame(listener.calls, ['snapshot /a/1', '/a/2=between']);
});

t.test('a lost watch is a new snapshot, also when lists fail for a while', async (t) => {
  const inner = createMemoryStore({ entries: { '/a/1': 'x' } });
  const store = createFaultyStore(inner);
  const listener = recorder();
  const syncer = createSyncer({ store, prefixes: ['/a/'], listener, log: silentLog });
  t.teardown(() => syncer.stop());
  await syncer.ready();
  store.failBefore('list', 2);
  store.loseWatches();
  inner.put('/a/2', 'while away');
  await until(() => syncer.inSync && listener.calls.length === 2, 'the second snapshot');
  t.strictSame(listener.calls, ['snapshot /a/1', 'snapshot /a/1,/a/2']);
  t.equal(store.calls.filter((call) => call.operation === 'list').length, 4);
  inner.put('/a/3', 'after');
  await until(() => listener.state.get('/a/3') === 'after', 'the watch to go on');
});

t.test('compaction under the watch is a new snapshot', async (t) => {
  const inner = createMemoryStore({ entries: { '/a/1': 'x' } });
  let compacted = false;
  const store = {
    ...inner,
    watch: (options: Parameters<typeof inner.watch>[0]) => {
      if (!compacted) {
        compacted = true;
        inner.put('/a/2', 'y');
        inner.compact();
      }
      return inner.watch(options);
    },
  };
  const listener = recorder();
  const syncer = createSyncer({ store, prefixes: ['/a/'], listener, log: silentLog });
  t.teardown(() => syncer.stop());
  await until(() => listener.calls.length === 2, 'the second snapshot');
  t.strictSame(listener.calls, ['snapshot /a/1', 'snapshot /a/1,/a/2']);
});

t.test('stop ends everything, ready rejects', async (t) => {
  const store = createFaultyStore(createMemoryStore());
  store.failBefore('list', 1000);
  const listener = recorder();
  const syncer = createSyncer({ store, prefixes: ['/a/'], listener, log: silentLog });
  t.equal((await faultOf(syncer.ready(AbortSignal.timeout(20)))).kind, 'timeout');
  const waiting = syncer.ready();
  syncer.stop();
  t.equal((await faultOf(waiting)).reason, 'stopped');
  t.strictSame(listener.calls, []);
});

t.test('no call after stop, the watch is closed', async (t) => {
  const store = createMemoryStore({ entries: { '/a/1': 'x' } });
  const listener = recorder();
  const syncer = createSyncer({ store, prefixes: ['/a/'], listener, log: silentLog });
  await syncer.ready();
  store.put('/a/2', 'queued');
  syncer.stop();
  await until(() => store.openWatches === 0, 'the watch to close');
  t.strictSame(listener.calls, ['snapshot /a/1']);
});

t.test('a listener that throws gets a new snapshot', async (t) => {
  const store = createMemoryStore({ entries: { '/a/1': 'x' } });
  const good = recorder();
  let bad = true;
  const listener: SyncListener = {
    onSnapshot: (all) => good.onSnapshot(all),
    onChange: (key, entry) => {
      if (bad) {
        bad = false;
        throw new Error('a defect');
      }
      good.onChange(key, entry);
    },
  };
  const syncer = createSyncer({ store, prefixes: ['/a/'], listener, log: silentLog });
  t.teardown(() => syncer.stop());
  await syncer.ready();
  store.put('/a/2', 'y');
  await until(() => good.calls.length === 2, 'the second snapshot');
  t.equal(good.state.get('/a/2'), 'y');
});

t.test('random writes and losses: the listener ends with the state of the store', async (t) => {
  const inner = createMemoryStore();
  const store = createFaultyStore(inner);
  const listener = recorder();
  const syncer = createSyncer({ store, prefixes: ['/a/', '/b/'], listener, log: silentLog });
  t.teardown(() => syncer.stop());
  await syncer.ready();
  for (let step = 0; step < 300; step += 1) {
    const key = `/${'abc'[step % 3]}/${(step * 7) % 11}`;
    if (step % 5 === 4) inner.delete(key);
    else inner.put(key, String(step));
    if (step % 150 === 149)
      store.loseWatches(new Fault('unavailable', 'lost', { reason: 'cut-off' }));
    if (step % 10 === 0) await Promise.resolve();
  }
  const expected = Object.entries(inner.dump()).filter(([key]) => !key.startsWith('/c/'));
  await until(() => syncer.inSync && listener.state.size === expected.length, 'the end state');
  t.strictSame(Object.fromEntries(listener.state), Object.fromEntries(expected));
});
