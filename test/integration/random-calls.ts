// The random calls of test/driver/random-calls.ts over the stores that hosts really have.
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import t from 'tap';
import { silentLog } from '../../src/base/index.js';
import { createEmbeddedStore } from '../../src/datastore/embedded/index.js';
import { createEtcdStore } from '../../src/datastore/etcd/index.js';
import type { Store } from '../../src/datastore/index.js';
import { startEtcd } from '../fixtures/etcd-server.js';
import { randomCalls, type RandomCallsOptions } from '../fixtures/random-call-check.js';

async function fill(store: Store, entries: Readonly<Record<string, string>>): Promise<void> {
  const writes = Object.entries(entries).map(([key, value]) => ({ key, value }));
  await store.commit({ compares: [], writes });
}

const embedded: RandomCallsOptions['open'] = async (entries) => {
  const directory = await mkdtemp(join(tmpdir(), 'random-calls-'));
  const store = createEmbeddedStore({ directory, log: silentLog });
  await fill(store, entries);
  const close = async (): Promise<void> => {
    await store.close();
    await rm(directory, { recursive: true });
  };
  return { store, close };
};

t.test('lmdb', (t) => {
  randomCalls(t, { open: embedded, seeds: [3], runs: 25 });
  randomCalls(t, { open: embedded, seeds: [4], runs: 25, faults: true });
  t.end();
});

t.test('etcd', async (t) => {
  const server = await startEtcd();
  t.teardown(() => server.close());
  const open: RandomCallsOptions['open'] = async (entries) => {
    await server.etcdctl('del', '', '--from-key=true');
    const store = createEtcdStore({ endpoints: server.endpoints, log: silentLog });
    await fill(store, entries);
    return { store, close: () => store.close() };
  };
  randomCalls(t, { open, seeds: [5], runs: 20 });
  randomCalls(t, { open, seeds: [6], runs: 20, faults: true });
});
