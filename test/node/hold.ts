import t, { type Test } from 'tap';
import { Fault, silentLog, systemClock, type Clock } from '../../src/base/index.js';
import { nodeHoldKey, type Store } from '../../src/datastore/index.js';
import {
  holdNodeName,
  type Decision,
  type NodeHold,
  type NodeHoldOptions,
} from '../../src/node/index.js';
import { createFaultyStore } from '../fixtures/faulty-store.js';
import { createMemoryStore } from '../fixtures/memory-store.js';
import { until } from '../fixtures/until.js';

const key = nodeHoldKey('node1');
const A = 'aaaaaaaa-0000-4000-8000-000000000001';
const B = 'bbbbbbbb-0000-4000-8000-000000000002';

interface Given extends Partial<NodeHoldOptions> {
  readonly seen?: Decision[];
}

function start(t: Test, store: Store, hostUuid: string, given: Given = {}): NodeHold {
  const { seen, ...rest } = given;
  const hold = holdNodeName({
    store,
    nodeName: 'node1',
    hostUuid,
    bootId: `boot-of-${hostUuid}`,
    hostName: `host-${hostUuid.slice(0, 1)}`,
    address: '192.0.2.10',
    log: silentLog,
    clock: systemClock,
    pauseMs: { first: 2, last: 10 },
    onChange: (decision) => seen?.push(decision),
    ...rest,
  });
  t.teardown(() => hold.stop());
  return hold;
}

const held = (hold: NodeHold) => (): boolean => hold.mayAllocate().ok;
const refusedBy = (hold: NodeHold): string => {
  const decision = hold.mayAllocate();
  return decision.ok ? 'ok' : decision.reason;
};
const soon = (): AbortSignal => AbortSignal.timeout(5_000);

t.test('a free name is held, and given back', async (t) => {
  const store = createMemoryStore();
  const hold = start(t, store, A);
  t.equal(refusedBy(hold), 'hold-pending', 'not before the store said so');
  t.same(await hold.decided(soon()), { ok: true });
  t.match(JSON.parse(store.dump()[key] ?? ''), { uuid: A, node: 'node1', hostName: 'host-a' });
  await hold.stop();
  t.equal(refusedBy(hold), 'hold-lost');
  t.same(store.dump(), {});
  t.equal(store.openWatches, 0);
});

t.test('a second machine is told both hosts, and gets the name when it is free', async (t) => {
  const store = createMemoryStore();
  const first = start(t, store, A);
  await first.decided(soon());
  const second = start(t, store, B);
  const decision = await second.decided(soon());
  t.match(decision, {
    ok: false,
    reason: 'hold-contested',
    message:
      /node1 is used by host host-a .*aaaaaaaa.* and this is host host-b .*bbbbbbbb.*NODENAME/,
  });
  t.equal(second.rival()?.uuid, A);
  t.ok(first.mayAllocate().ok, 'the first is not disturbed');
  await first.stop();
  await until(held(second), 'the second machine to get the free name');
  t.equal(second.rival(), undefined);
});

t.test('a machine whose lease ran out sees the newcomer', async (t) => {
  const store = createMemoryStore();
  const first = start(t, store, A, { pauseMs: { first: 40, last: 40 } });
  await first.decided(soon());
  const second = start(t, store, B);
  await second.decided(soon());
  store.expire(key);
  await until(held(second), 'the second machine to get the name');
  await until(() => refusedBy(first) === 'hold-contested', 'the first to see it');
});

t.test('our own earlier process is replaced at once, and knows', async (t) => {
  const store = createMemoryStore();
  const seen: Decision[] = [];
  const earlier = start(t, store, A, { seen });
  await earlier.decided(soon());
  const later = start(t, store, A);
  t.same(await later.decided(soon()), { ok: true });
  await until(() => refusedBy(earlier) === 'hold-contested', 'the earlier process to see it');
  t.ok(later.mayAllocate().ok, 'they do not take the name from each other in turns');
  t.notOk(seen.at(-1)?.ok);
});

t.test(
  'after a reboot the old lease is waited for; a live copy of the machine is contested',
  async (t) => {
    const store = createMemoryStore();
    const original = start(t, store, A, { bootId: 'one' });
    await original.decided(soon());
    let now = 0;
    const clock: Clock = { now: () => Date.now(), monotonic: () => now };
    const seenByCopy = createFaultyStore(store);
    const copy = start(t, seenByCopy, A, { bootId: 'two', clock, ttlSeconds: 15 });
    await until(
      () => refusedBy(copy) === 'hold-pending' && messageOf(copy).includes('run out'),
      'the lease to be seen',
    );
    now = 19_000;
    const tries = seenByCopy.calls.length;
    await until(() => seenByCopy.calls.length > tries + 4, 'two whole tries');
    t.equal(refusedBy(copy), 'hold-pending');
    now = 21_000;
    await until(() => refusedBy(copy) === 'hold-contested', 'the copy to be recognised');
    t.match(messageOf(copy), /copy of the other: remove host-uuid/);
    t.ok(original.mayAllocate().ok);
    await original.stop();
    await until(held(copy), 'the name to be free');
  },
);

t.test('an emptied datastore takes the name away; it is claimed again', async (t) => {
  const store = createMemoryStore();
  const seen: Decision[] = [];
  const hold = start(t, store, A, { seen });
  await hold.decided(soon());
  store.delete(key);
  await until(() => seen.length >= 3, 'loss and new claim');
  t.match(seen, [{ ok: true }, { ok: false, reason: 'hold-lost' }, { ok: true }]);
});

t.test('a lost watch is no lost hold', async (t) => {
  const store = createMemoryStore();
  const seen: Decision[] = [];
  const hold = start(t, store, A, { seen });
  await hold.decided(soon());
  await until(() => store.openWatches === 1, 'the watch');
  store.loseWatches();
  await until(() => store.openWatches === 1, 'a new watch');
  t.same(seen, [{ ok: true }]);
  store.delete(key);
  await until(() => seen.length >= 3, 'the new watch to tell');
});

t.test('an unreachable store is said with its reason and tried again', async (t) => {
  const store = createFaultyStore(createMemoryStore());
  store.cutOff(true);
  const hold = start(t, store, A);
  await until(() => refusedBy(hold) === 'hold-unreachable', 'the refusal');
  t.match(messageOf(hold), /cannot be claimed in memory: .*goes on trying/);
  store.cutOff(false);
  t.same(await hold.decided(soon()), { ok: true });
});

t.test('while the lease lives an unreachable store changes nothing', async (t) => {
  const store = createFaultyStore(createMemoryStore());
  const seen: Decision[] = [];
  const hold = start(t, store, A, { seen });
  await hold.decided(soon());
  store.cutOff(true);
  const failed = store.calls.length;
  await until(() => store.calls.length > failed + 2, 'some failed looks');
  t.ok(hold.mayAllocate().ok);
  store.cutOff(false);
  t.same(seen, [{ ok: true }]);
});

t.test('a value that no program of ours wrote counts as a stranger', async (t) => {
  const store = createMemoryStore({ entries: { [key]: 'somebody' } });
  const hold = start(t, store, A);
  t.match(await hold.decided(soon()), {
    reason: 'hold-contested',
    message: /used by an unknown program/,
  });
});

t.test('waiting is bounded, and stopping too', async (t) => {
  const store = createFaultyStore(createMemoryStore());
  store.cutOff(true);
  const hold = start(t, store, A);
  const off = AbortSignal.abort(new Fault('unavailable', 'stop', { reason: 'stopped' }));
  await t.rejects(hold.decided(off), /stop/);
  await hold.stop();
  await hold.stop();
  t.equal(refusedBy(hold), 'hold-lost');
});

function messageOf(hold: NodeHold): string {
  const decision = hold.mayAllocate();
  return decision.ok ? '' : decision.message;
}
