import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import t, { type Test } from 'tap';
import { silentLog } from '../../src/base/index.js';
import { createEtcdStore, type EtcdStoreOptions } from '../../src/datastore/etcd/index.js';
import type { Store } from '../../src/datastore/index.js';
import { createCertificates } from '../fixtures/certificates.js';
import { startEtcd } from '../fixtures/etcd-server.js';
import { faultOf } from '../fixtures/fault-of.js';
import { until } from '../fixtures/until.js';

const deadlines = { dialMs: 1500, callMs: 3000 };

function open(t: Test, options: Omit<EtcdStoreOptions, 'log'>): Store {
  const store = createEtcdStore({ log: silentLog, deadlines, ...options });
  t.teardown(() => store.close());
  return store;
}

const put = (store: Store, key: string, value: string): ReturnType<Store['commit']> =>
  store.commit({ compares: [], writes: [{ key, value }] });

t.test('TLS with client certificates', async (t) => {
  const server = await startEtcd({ tls: true });
  t.teardown(() => server.close());
  const { endpoints, tls } = server;
  if (tls === undefined) throw new Error('no certificates');

  const byText = open(t, {
    endpoints,
    tls: { ca: tls.ca, cert: tls.clientCert, key: tls.clientKey },
  });
  t.ok((await put(byText, '/a', '1')).committed);
  const { ca, clientCert: cert, clientKey: key } = tls.files;
  const byFile = open(t, { endpoints, tls: { ca, cert, key } });
  t.equal((await byFile.get('/a'))?.value, '1');

  const stranger = await faultOf(open(t, { endpoints, tls: { cert, key } }).get('/a'));
  t.equal(stranger.kind, 'unavailable');
  t.equal(stranger.reason, 'tls');
  t.match(
    stranger.message,
    /tried https:\/\/127.0.0.1:\d+; .*TLS failed \(.*certificate.*it goes on trying/,
  );

  const noClient = await faultOf(open(t, { endpoints, tls: { ca } }).get('/a'));
  t.equal(noClient.kind, 'unavailable');

  const plain = endpoints.map((endpoint) => endpoint.replace('https', 'http'));
  t.equal((await faultOf(open(t, { endpoints: plain }).get('/a'))).kind, 'unavailable');

  const half = await faultOf(open(t, { endpoints, tls: { ca, cert } }).get('/a'));
  t.equal(half.kind, 'invalid');
  t.match(half.message, 'the etcd client key is missing');
  const absent = await faultOf(open(t, { endpoints, tls: { ca: '/no/such/ca.pem' } }).get('/a'));
  t.equal(absent.kind, 'invalid');
  t.match(absent.message, '/no/such/ca.pem');
  const broken = await faultOf(open(t, { endpoints, tls: { ca, cert: ca, key } }).get('/a'));
  t.equal(broken.kind, 'invalid');
});

t.test('a certificate that is put right on disk is used without a restart', async (t) => {
  const server = await startEtcd({ tls: true });
  t.teardown(() => server.close());
  if (server.tls === undefined) throw new Error('no certificates');
  const folder = t.testdir({});
  const other = await createCertificates(folder);
  const { clientCert: cert, clientKey: key } = server.tls.files;
  const ca = join(folder, 'trusted.pem');
  await writeFile(ca, other.ca);
  const store = open(t, { endpoints: server.endpoints, tls: { ca, cert, key } });
  t.equal((await faultOf(store.get('/a'))).reason, 'tls');
  await writeFile(ca, server.tls.ca);
  await until(async () => {
    const outcome = await store.get('/a').then(
      () => 'answered',
      () => 'refused',
    );
    return outcome === 'answered';
  }, 'the new authority to be used');
});

t.test('user and password', async (t) => {
  const server = await startEtcd({ password: 'secret', tokenTtlSeconds: 1 });
  t.teardown(() => server.close());
  const { endpoints, credentials } = server;
  const store = open(t, { endpoints, ...credentials });
  t.ok((await put(store, '/calico/a', '1')).committed);

  const wrong = await faultOf(
    open(t, { endpoints, username: 'root', password: 'guess' }).get('/a'),
  );
  t.equal(wrong.kind, 'refused');
  t.equal(wrong.reason, 'authentication');
  t.match(wrong.message, 'check user and password');
  t.notMatch(wrong.message, 'guess');
  const nobody = await faultOf(open(t, { endpoints }).get('/a'));
  t.equal(nobody.reason, 'authentication');
  t.equal((await faultOf(put(open(t, { endpoints }), '/a', 'b'))).kind, 'refused');

  await t.test('a user may only what was granted', async (t) => {
    await server.etcdctl('user', 'add', 'calico:pw');
    await server.etcdctl('role', 'add', 'calico');
    await server.etcdctl(
      'role',
      'grant-permission',
      'calico',
      '--prefix=true',
      'readwrite',
      '/calico/',
    );
    await server.etcdctl('user', 'grant-role', 'calico', 'calico');
    const limited = open(t, { endpoints, username: 'calico', password: 'pw' });
    t.ok((await put(limited, '/calico/b', '1')).committed);
    t.ok((await limited.identify()).id);
    const forbidden = [
      () => limited.get('/other'),
      () => put(limited, '/other', 'x'),
      () => limited.list('/'),
    ];
    for (const work of forbidden) {
      const fault = await faultOf(work);
      t.equal(fault.kind, 'refused');
      t.equal(fault.reason, 'permission');
    }
    const lost: string[] = [];
    const onChanges = (): void => undefined;
    limited.watch({
      prefixes: ['/'],
      from: 1n,
      onChanges,
      onLost: (fault) => void lost.push(fault.reason),
    });
    await until(() => lost.length === 1, 'the watch to be refused');
    t.strictSame(lost, ['permission']);
  });

  await t.test('a token that ran out is renewed within the call', async (t) => {
    let expired = 0;
    for (let round = 0; round < 3; round += 1) {
      const end = performance.now() + 2500;
      await until(() => performance.now() > end, 'the token to run out');
      t.ok((await put(store, '/calico/a', String(round))).committed);
      expired += 1;
    }
    t.equal(expired, 3);
    const seen: string[] = [];
    const { revision } = await store.identify();
    const watch = store.watch({
      prefixes: ['/calico/a'],
      from: revision,
      onChanges: (changes) => void seen.push(...changes.map((change) => change.type)),
      onLost: (fault) => void seen.push(fault.message),
    });
    await until(() => seen.length > 0, 'the change');
    t.strictSame(seen, ['put']);
    watch.close();
  });
});

t.test('credentials for an etcd without authentication are accepted', async (t) => {
  const server = await startEtcd();
  t.teardown(() => server.close());
  const store = open(t, { endpoints: server.endpoints, username: 'root', password: 'x' });
  t.ok((await put(store, '/a', '1')).committed);
});

t.test('options that make no sense are refused at once', async (t) => {
  const create = (options: Partial<EtcdStoreOptions>) => () =>
    createEtcdStore({ endpoints: ['http://127.0.0.1:2379'], log: silentLog, ...options });
  for (const endpoints of [
    [],
    [' '],
    ['ftp://x:1'],
    ['http://u:secret@x:1'],
    ['http://x:1/path'],
    ['http://:1'],
  ]) {
    const fault = await faultOf(create({ endpoints }));
    t.equal(fault.kind, 'invalid', String(endpoints));
    t.notMatch(fault.message, 'secret');
  }
  t.match((await faultOf(create({ username: 'root' }))).message, 'the etcd password is missing');
  t.match((await faultOf(create({ password: 'x' }))).message, 'the etcd user name is missing');
  const bare = createEtcdStore({
    endpoints: ['node1', '10.0.0.1:2379', 'https://[::1]:2379/'],
    log: silentLog,
  });
  t.equal(bare.description, 'http://node1:2379, http://10.0.0.1:2379, https://[::1]:2379');
  await bare.close();
});
