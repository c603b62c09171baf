import { randomUUID } from 'node:crypto';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import t, { type Test } from 'tap';
import { silentLog, systemClock } from '../../src/base/index.js';
import { hostCountKey, hostRecordKey, resourceKey, type Store } from '../../src/datastore/index.js';
import { formatEpoch, LineageKeeper, settleEpoch, type Epoch } from '../../src/node/index.js';
import { createMemoryStore, type MemoryStore } from '../fixtures/memory-store.js';
import { until } from '../fixtures/until.js';

const UUID = '6f0c1f1e-0000-4000-8000-000000000000';
const CLUSTER = resourceKey('clusterinformations', 'default');
const COUNT = hostCountKey('a');

interface Held {
  readonly store: Store;
  /** From now on the reply of a list of this prefix is served and does not arrive; `go` lets it. */
  hold(prefix: string): { go(): void };
}

function holdingLists(memory: MemoryStore): Held {
  const held = new Map<string, Promise<void>>();
  const store: Store = {
    ...memory,
    list: async (prefix, options) => {
      const snapshot = await memory.list(prefix, options);
      const prefixes = typeof prefix === 'string' ? [prefix] : prefix;
      for (const one of prefixes) await held.get(one);
      return snapshot;
    },
  };
  return {
    store,
    hold: (prefix) => {
      let go: () => void = () => undefined;
      held.set(prefix, new Promise((resolve) => (go = resolve)));
      return { go: () => go() };
    },
  };
}

/** A keeper at work in a cluster that it has begun, unless `store` holds one. */
async function startKeeper(t: Test, store: Store, epoch?: Epoch): Promise<LineageKeeper> {
  const stateDir = mkdtempSync(join(tmpdir(), 'lineage-'));
  t.teardown(() => rmSync(stateDir, { recursive: true, force: true }));
  const host = { store, nodeName: 'a', hostUuid: UUID };
  const begun = await settleEpoch(host, { kind: 'first' }, undefined, { clock: systemClock });
  const lineage = { ...begun, epoch: epoch ?? begun.epoch };
  if (epoch !== undefined) {
    const stored = (await store.get(CLUSTER))?.value ?? '';
    const value = stored.replace(formatEpoch(begun.epoch), formatEpoch(epoch));
    await store.commit({ compares: [], writes: [{ key: CLUSTER, value }] });
  }
  const keeper = new LineageKeeper({
    ...{ ...host, ...lineage, stateDir, log: silentLog, count: 0, storeId: 'x' },
    ...{ clock: systemClock, everyMs: 0 },
  });
  t.teardown(() => keeper.stop());
  await keeper.claimed(AbortSignal.timeout(5_000));
  return keeper;
}

const countIn = (memory: MemoryStore): number =>
  (JSON.parse(memory.dump()[COUNT] ?? '{"count":0}') as { count: number }).count;

const writes = (keeper: LineageKeeper) =>
  keeper.store.commit({ compares: [], writes: [{ key: '/calico/y', value: String(Date.now()) }] });

/** Writes, and waits until the count was raised for it. */
async function confirmed(memory: MemoryStore, keeper: LineageKeeper): Promise<void> {
  const before = countIn(memory);
  await writes(keeper);
  await until(() => countIn(memory) > before, 'the count to be raised');
}

t.test('a list is judged by what was known when it was sent', async (t) => {
  const memory = createMemoryStore();
  const { store, hold } = holdingLists(memory);
  const keeper = await startKeeper(t, store);
  await confirmed(memory, keeper);
  const long = hold('/calico/long/');
  const listing = keeper.store.list('/calico/long/');
  await confirmed(memory, keeper);
  await confirmed(memory, keeper);
  long.go();
  t.same((await listing).entries, []);
  t.equal(keeper.store.exchanged?.aborted, false);
  memory.put(COUNT, JSON.stringify({ uuid: UUID, count: 1 }));
  await t.rejects(keeper.store.list('/calico/z/'), /the count of this host is 1 and was/);
});

t.test('hosts of a version without epochs are not waited for', async (t) => {
  const memory = createMemoryStore({
    entries: { [hostRecordKey('old')]: JSON.stringify({ uuid: 'other', version: '1' }) },
  });
  const keeper = await startKeeper(t, memory);
  t.same(keeper.mayAllocate(), { ok: true });
});

t.test('who is waited for after an exchange', async (t) => {
  const former = formatEpoch({ number: 1, id: randomUUID() });
  const record = (uuid: string, epoch?: string) => JSON.stringify({ uuid, version: '', epoch });
  const memory = createMemoryStore({
    entries: {
      [hostRecordKey('live')]: record('1', former),
      [resourceKey('nodes', 'live')]: '{}',
      [hostRecordKey('deleted')]: record('2', former),
      [hostRecordKey('recalled')]: record(''),
      [hostRecordKey('registers')]: record('4'),
    },
  });
  const epoch = { number: 2, id: randomUUID() };
  const keeper = await startKeeper(t, memory, epoch);
  t.same(keeper.waitingFor(), ['live', 'recalled', 'registers']);
  for (const name of ['x', 'y', 'z']) memory.put(hostRecordKey(name), record(''));
  await until(() => keeper.waitingFor().length === 6, 'three more');
  t.match(keeper.mayAllocate(), {
    message: /on live, recalled, registers, x, y and 1 more are not/,
  });
  for (const name of ['x', 'y', 'z']) memory.delete(hostRecordKey(name));
  const settled = keeper.settled(AbortSignal.timeout(5_000));
  memory.put(hostRecordKey('recalled'), record('3', formatEpoch(epoch)));
  memory.delete(hostRecordKey('registers'));
  await until(() => keeper.waitingFor().length === 1, 'the other two');
  t.equal(keeper.mayAllocate().ok, false);
  memory.delete(resourceKey('nodes', 'live'));
  await settled;
  t.same(keeper.mayAllocate(), { ok: true });
});

t.test('a list that is older than the news of an unlock locks nothing', async (t) => {
  const memory = createMemoryStore();
  const { store, hold } = holdingLists(memory);
  const keeper = await startKeeper(t, store);
  const lock = (ready: boolean) => {
    const stored = JSON.parse(memory.dump()[CLUSTER] ?? '') as { spec: object };
    memory.put(
      CLUSTER,
      JSON.stringify({ ...stored, spec: { ...stored.spec, datastoreReady: ready } }),
    );
  };
  lock(false);
  await until(() => !keeper.mayAllocate().ok, 'the lock');
  const late = hold('/calico/long/');
  const listing = keeper.store.list('/calico/long/');
  lock(true);
  await until(() => keeper.mayAllocate().ok, 'the unlock');
  late.go();
  await listing;
  t.ok(keeper.mayAllocate().ok);
});

t.test('the confirmation notices a count that went back, and leaves it', async (t) => {
  const memory = createMemoryStore();
  const keeper = await startKeeper(t, memory);
  await confirmed(memory, keeper);
  memory.put(COUNT, JSON.stringify({ uuid: UUID, count: 1 }));
  await writes(keeper);
  await until(() => keeper.store.exchanged?.aborted === true, 'the exchange to be noticed');
  t.equal(countIn(memory), 1);
});
