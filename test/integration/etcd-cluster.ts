import t, { type Test } from 'tap';
import { isFault, silentLog } from '../../src/base/index.js';
import { createEtcdStore } from '../../src/datastore/etcd/index.js';
import { createSyncer, type Entry, type Store } from '../../src/datastore/index.js';
import { startEtcd, type EtcdServer } from '../fixtures/etcd-server.js';
import { faultOf } from '../fixtures/fault-of.js';
import { until } from '../fixtures/until.js';

/** Three members; the store tries them in order, so member 0 first. */
async function cluster(t: Test): Promise<{ readonly server: EtcdServer; readonly store: Store }> {
  const server = await startEtcd({ members: 3 });
  t.teardown(() => server.close());
  let rank = 0;
  const random = (): number => (rank += 0.1);
  const store = createEtcdStore({ endpoints: server.endpoints, log: silentLog, random });
  t.teardown(() => store.close());
  return { server, store };
}

const put = (store: Store, key: string, value: string): ReturnType<Store['commit']> =>
  store.commit({ compares: [], writes: [{ key, value }] });

function follow(t: Test, store: Store) {
  const state = new Map<string, string>();
  const syncer = createSyncer({
    store,
    prefixes: ['/a/'],
    log: silentLog,
    listener: {
      onSnapshot: (all: ReadonlyMap<string, Entry>) => {
        state.clear();
        for (const [key, entry] of all) state.set(key, entry.value);
      },
      onChange: (key, entry) =>
        void (entry === undefined ? state.delete(key) : state.set(key, entry.value)),
    },
  });
  t.teardown(() => syncer.stop());
  return { syncer, state };
}

t.test('endpoints that do not answer are passed over', async (t) => {
  const server = await startEtcd();
  t.teardown(() => server.close());
  let rank = 0;
  const endpoints = ['http://127.0.0.1:1', 'http://no-such-host.invalid:2379', ...server.endpoints];
  const random = (): number => (rank += 0.1);
  const store = createEtcdStore({ endpoints, log: silentLog, random });
  t.teardown(() => store.close());
  const start = performance.now();
  t.ok((await put(store, '/a', '1')).committed);
  t.ok(performance.now() - start < 4500);
  const again = performance.now();
  t.equal((await store.get('/a'))?.value, '1');
  t.ok(performance.now() - again < 1000, 'and it stays with the one that answers');
});

t.test('the member in use dies: reads and writes go on, the watch is made anew', async (t) => {
  const { server, store } = await cluster(t);
  const { syncer, state } = follow(t, store);
  await put(store, '/a/1', 'x');
  await syncer.ready();
  const leader = await server.leader();
  if (leader === 0) await server.etcdctl('move-leader', await memberId(server, 1));
  await server.kill(0);
  t.equal((await store.get('/a/1'))?.value, 'x');
  t.ok((await put(store, '/a/2', 'y')).committed);
  await until(() => syncer.inSync && state.get('/a/2') === 'y', 'the syncer to follow');
});

t.test('the leader dies under writes: what was answered is there', async (t) => {
  const { server, store } = await cluster(t);
  const { syncer, state } = follow(t, store);
  await syncer.ready();
  const answered: string[] = [];
  const kinds = new Set<string>();
  let stop = false;
  const write = async (lane: number): Promise<void> => {
    for (let number = 1; !stop; number += 1) {
      const key = `/a/${lane}-${number}`;
      try {
        await put(store, key, 'x');
        answered.push(key);
      } catch (error) {
        if (!isFault(error)) throw error;
        kinds.add(error.kind);
      }
    }
  };
  const lanes = Promise.all([1, 2, 3, 4].map(write));
  await until(() => answered.length > 200, 'writes');
  await server.kill(await server.leader());
  const before = answered.length;
  await until(() => answered.length > before + 200, 'writes after the loss', 30_000);
  stop = true;
  await lanes;
  const { entries } = await store.list('/a/');
  const present = new Set(entries.map(({ key }) => key));
  t.strictSame(
    answered.filter((key) => !present.has(key)),
    [],
  );
  t.strictSame(
    [...kinds].filter((kind) => kind !== 'outcome-unknown'),
    [],
  );
  await until(() => syncer.inSync && state.size === present.size, 'the syncer to follow');
  t.comment(`faults: ${[...kinds].join(', ') || 'none'}`);
});

t.test('a frozen member is left within its bound, and taken again when it thaws', async (t) => {
  const { server, store } = await cluster(t);
  const { syncer, state } = follow(t, store);
  await put(store, '/a/1', 'x');
  await syncer.ready();
  if ((await server.leader()) === 0) await server.etcdctl('move-leader', await memberId(server, 1));
  server.pause(0);
  const start = performance.now();
  t.equal((await store.get('/a/1'))?.value, 'x', 'a read goes to another');
  t.ok(performance.now() - start < 4500, `${Math.round(performance.now() - start)} ms`);
  t.ok((await put(store, '/a/2', 'y')).committed);
  await until(() => syncer.inSync && state.get('/a/2') === 'y', 'the watch on another member');
  t.ok(performance.now() - start < 9000, `${Math.round(performance.now() - start)} ms`);
  const quick = performance.now();
  await store.get('/a/1');
  t.ok(performance.now() - quick < 300);
  server.resume(0);
});

t.test('without a quorum: unavailable with the reason, and back by itself', async (t) => {
  const { server, store } = await cluster(t);
  const { syncer, state } = follow(t, store);
  await put(store, '/a/1', 'x');
  await syncer.ready();
  await server.kill(1);
  await server.kill(2);
  await until(() => !syncer.inSync, 'the watch to be lost, a leader is asked for', 15_000);
  const read = await faultOf(store.get('/a/1'));
  t.equal(read.kind, 'unavailable', 'no old news');
  t.equal(read.reason, 'no-leader');
  t.match(read.message, 'no leader');
  t.equal((await faultOf(put(store, '/a/2', 'y'))).kind, 'unavailable', 'certainly not written');
  await server.restart(1);
  await until(
    async () => {
      const entry = await store.get('/a/1').catch(() => undefined);
      return entry?.value === 'x';
    },
    'reads to come back',
    20_000,
  );
  await put(store, '/a/2', 'z');
  await until(() => syncer.inSync && state.get('/a/2') === 'z', 'the syncer to follow', 20_000);
});

t.test('a hold moves with its store from a dead member to another', async (t) => {
  const { server, store } = await cluster(t);
  const hold = await store.hold('/h', 'me', 4);
  if ((await server.leader()) === 0) await server.etcdctl('move-leader', await memberId(server, 1));
  await server.kill(0);
  const end = performance.now() + 9000;
  await until(() => performance.now() > end || hold.lost.aborted, 'two lives of the hold');
  t.notOk(hold.lost.aborted);
  t.equal((await store.get('/h'))?.value, 'me');
  await hold.release();
  t.equal(await store.get('/h'), undefined);
});

/** In hexadecimal, as etcdctl wants it; by the order of endpoints. */
async function memberId(server: EtcdServer, index: number): Promise<string> {
  const lines = (await server.etcdctl('endpoint', 'status')).split('\n');
  const line = lines.find((text) => text.startsWith(server.endpoints[index] ?? '?'));
  return line?.split(', ')[1] ?? '';
}
