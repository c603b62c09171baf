import t, { type Test } from 'tap';
import { silentLog } from '../../src/base/index.js';
import { createEtcdStore } from '../../src/datastore/etcd/index.js';
import { createSyncer, type Change, type Entry, type Store } from '../../src/datastore/index.js';
import { startEtcd, type EtcdServer } from '../fixtures/etcd-server.js';
import { faultOf } from '../fixtures/fault-of.js';
import { startTcpProxy, type TcpProxy } from '../fixtures/tcp-proxy.js';
import { until } from '../fixtures/until.js';

interface Scene {
  readonly server: EtcdServer;
  readonly proxy: TcpProxy;
  readonly store: Store;
}

/** One member behind a relay. */
async function scene(t: Test, flags?: readonly string[]): Promise<Scene> {
  const server = await startEtcd(flags ? { flags } : {});
  t.teardown(() => server.close());
  const proxy = await startTcpProxy({ port: Number(new URL(server.endpoints[0] ?? '').port) });
  t.teardown(() => proxy.close());
  const store = createEtcdStore({ endpoints: [`http://127.0.0.1:${proxy.port}`], log: silentLog });
  t.teardown(() => store.close());
  return { server, proxy, store };
}

const put = (store: Store, key: string, value: string): ReturnType<Store['commit']> =>
  store.commit({ compares: [], writes: [{ key, value }] });

function follow(t: Test, store: Store, prefixes: readonly string[]) {
  const state = new Map<string, string>();
  const seen = { snapshots: 0, changes: 0 };
  const syncer = createSyncer({
    store,
    prefixes,
    log: silentLog,
    listener: {
      onSnapshot: (all: ReadonlyMap<string, Entry>) => {
        seen.snapshots += 1;
        state.clear();
        for (const [key, entry] of all) state.set(key, entry.value);
      },
      onChange: (key, entry) => {
        seen.changes += 1;
        if (entry === undefined) state.delete(key);
        else state.set(key, entry.value);
      },
    },
  });
  t.teardown(() => syncer.stop());
  return { syncer, state, seen };
}

const elapsed = async (work: () => Promise<unknown>): Promise<number> => {
  const start = performance.now();
  await work();
  return performance.now() - start;
};

t.test('a restart of etcd: calls that begin meanwhile wait and succeed', async (t) => {
  const { server, store } = await scene(t);
  const { syncer, state } = follow(t, store, ['/a/']);
  await put(store, '/a/1', 'before');
  await syncer.ready();
  await server.stop();
  await until(() => !syncer.inSync, 'the loss to be noticed');
  const working = Promise.all([put(store, '/a/2', 'while away'), store.get('/a/1')]);
  await server.restart();
  const [written, read] = await working;
  t.ok(written.committed);
  t.equal(read?.value, 'before');
  await until(() => syncer.inSync && state.get('/a/2') === 'while away', 'the syncer to follow');
});

t.test('etcd is away for longer: unavailable within the bound, and back by itself', async (t) => {
  const { server, store } = await scene(t);
  await put(store, '/a', '1');
  const { syncer } = follow(t, store, ['/a']);
  await syncer.ready();
  await server.kill();
  await until(() => !syncer.inSync, 'the loss to be noticed');
  const took = await elapsed(async () => {
    const fault = await faultOf(put(store, '/a', '2'));
    t.equal(fault.kind, 'unavailable', 'never sent, so not unknown');
    t.match(fault.message, /tried http:\/\/127.0.0.1:\d+; last failure: .*it goes on trying/);
  });
  t.ok(took > 3000 && took < 6500, `${Math.round(took)} ms`);
  const brief = await faultOf(store.get('/a', { signal: AbortSignal.timeout(300) }));
  t.equal(brief.kind, 'timeout');
  t.match(brief.message, 'last failure');
  await server.restart();
  t.equal((await store.get('/a'))?.value, '1');
});

t.test('a black hole: calls end in their bound, the watch is lost within 5 s', async (t) => {
  const { server, proxy, store } = await scene(t);
  const { syncer, state, seen } = follow(t, store, ['/a/']);
  await put(store, '/a/1', 'x');
  await syncer.ready();
  proxy.blackHole();
  const start = performance.now();
  const [write, read] = await Promise.all([
    faultOf(put(store, '/a/2', 'y')),
    faultOf(store.get('/a/1')),
  ]);
  t.equal(write.kind, 'outcome-unknown');
  t.equal(read.kind, 'unavailable');
  t.ok(performance.now() - start < 7000);
  await until(() => !syncer.inSync, 'the watch to be lost');
  t.ok(performance.now() - start < 8000, 'noticed');
  await server.etcdctl('put', '/a/3', 'meanwhile');
  proxy.resume();
  await until(() => state.get('/a/3') === 'meanwhile', 'the new snapshot', 15_000);
  t.equal(seen.snapshots, 2);
  t.notOk(state.has('/a/2'), 'the write that was swallowed');
});

t.test('connections cut again and again: nothing is missed', async (t) => {
  const { server, proxy, store } = await scene(t);
  const { syncer, state } = follow(t, store, ['/a/']);
  await syncer.ready();
  for (let round = 1; round <= 5; round += 1) {
    await server.etcdctl('put', `/a/${round}`, 'x');
    proxy.cut();
    await until(() => syncer.inSync && state.has(`/a/${round}`), 'the syncer to follow');
  }
  t.equal(state.size, 5);
});

t.test('compaction while the watch is away', async (t) => {
  const { server, proxy, store } = await scene(t);
  const { syncer, state, seen } = follow(t, store, ['/a/']);
  await put(store, '/a/1', 'x');
  await syncer.ready();
  proxy.refuse(true);
  await server.etcdctl('put', '/a/2', 'y');
  await server.etcdctl('del', '/a/1');
  await server.etcdctl('put', '/b', 'z');
  const { header } = JSON.parse(await server.etcdctl('get', '/b', '-w', 'json')) as {
    header: { revision: number };
  };
  await server.etcdctl('compact', String(header.revision));
  proxy.refuse(false);
  await until(() => seen.snapshots === 2 && state.has('/a/2'), 'the new snapshot', 15_000);
  t.strictSame([...state], [['/a/2', 'y']]);
});

t.test('half a second of round trip: all works, nothing is lost', async (t) => {
  const { proxy, store } = await scene(t);
  await put(store, '/a/0', 'x');
  proxy.delay(250);
  const { syncer, state, seen } = follow(t, store, ['/a/']);
  await syncer.ready();
  const took = await elapsed(() => put(store, '/a/1', 'slow'));
  t.ok(took > 490 && took < 2000, `${Math.round(took)} ms for one commit`);
  await until(() => state.get('/a/1') === 'slow', 'the change');
  const end = performance.now() + 8000;
  await until(() => performance.now() > end || !syncer.inSync, 'eight seconds');
  t.ok(syncer.inSync, 'pings come back in time');
  t.equal(seen.snapshots, 1);
});

t.test('an idle watch is not taken for one that pings too much', async (t) => {
  const { store } = await scene(t);
  await put(store, '/a', '1');
  const { revision } = await store.identify();
  const changes: Change[] = [];
  const lost: string[] = [];
  const watch = store.watch({
    prefixes: ['/a'],
    from: revision + 1n,
    onChanges: (news) => void changes.push(...news),
    onLost: (fault) => void lost.push(fault.message),
  });
  const end = performance.now() + 15_000;
  await until(() => performance.now() > end || lost.length > 0, 'fifteen idle seconds', 20_000);
  t.strictSame(lost, []);
  await put(store, '/a', '2');
  await until(() => changes.length === 1, 'the change');
  watch.close();
});

t.test('etcd out of space says so', async (t) => {
  const { server, store } = await scene(t, ['--quota-backend-bytes=400000']);
  let fault;
  for (let index = 0; index < 40 && fault === undefined; index += 1) {
    fault = await put(store, `/a/${index}`, 'x'.repeat(100_000)).then(
      () => undefined,
      (error: unknown) => error as { kind: string; reason: string; message: string },
    );
  }
  t.equal(fault?.kind, 'refused');
  t.equal(fault?.reason, 'out-of-space');
  t.match(fault?.message ?? '', 'defragment');
  t.ok(await server.etcdctl('alarm', 'list'));
});

t.test('more than gRPC takes by default in one list', async (t) => {
  const { store } = await scene(t);
  for (let index = 0; index < 30; index += 1)
    await put(store, `/big/${index}`, 'x'.repeat(400_000));
  t.equal((await store.list('/big/')).entries.length, 30);
});

t.test('a hold whose holder is cut off is lost before another can have it', async (t) => {
  const { server, proxy, store } = await scene(t);
  const hold = await store.hold('/h', 'me', 3);
  proxy.refuse(true);
  let lostAt = Infinity;
  hold.lost.addEventListener('abort', () => (lostAt = performance.now()));
  await until(
    async () => (await server.etcdctl('get', '/h')) === '',
    'etcd to drop the key',
    20_000,
  );
  t.ok(lostAt <= performance.now(), 'the holder knew first');
  t.ok(hold.lost.aborted);
});

t.test('what listens there is not etcd', async (t) => {
  const { createServer } = await import('node:http2');
  const server = createServer((_, response) => response.end('hello'));
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  t.teardown(() => server.close());
  const address = server.address();
  if (address === null || typeof address === 'string') throw new Error('no port');
  const deadlines = { dialMs: 1000, callMs: 1000 };
  const endpoints = [`http://127.0.0.1:${address.port}`];
  const store = createEtcdStore({ endpoints, log: silentLog, deadlines });
  t.teardown(() => store.close());
  const fault = await faultOf(store.get('/a'));
  t.equal(fault.kind, 'unavailable');
  t.match(fault.message, 'it goes on trying');
});
