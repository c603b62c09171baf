import { createServer } from 'node:net';
import { once } from 'node:events';
import { mkdtemp, rm, stat, writeFile } from 'node:fs/promises';
import { request } from 'node:http';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import t, { type Test } from 'tap';
import {
  createAdminClient,
  createAdminServer,
  type AdminServerOptions,
  type HostInsight,
} from '../../src/admin/index.js';
import { Fault, silentLog } from '../../src/base/index.js';
import { faultOf } from '../fixtures/fault-of.js';
import { createFaultyStore } from '../fixtures/faulty-store.js';
import { createMemoryStore } from '../fixtures/memory-store.js';
import { until } from '../fixtures/until.js';

async function socketPath(t: Test): Promise<string> {
  const folder = await mkdtemp(join(tmpdir(), 'admin-test-'));
  t.teardown(() => rm(folder, { recursive: true, force: true }));
  return join(folder, 'run', 'admin.sock');
}

async function start(t: Test, path: string, options: Partial<AdminServerOptions> = {}) {
  const status = async (): Promise<unknown> => ({ ready: true });
  const server = createAdminServer({ path, status, log: silentLog, ...options });
  await server.listen();
  t.teardown(() => server.close());
  return server;
}

function post(path: string, url: string, body: string, type = 'application/json') {
  return new Promise<{ readonly status: number | undefined; readonly text: string }>(
    (resolve, reject) => {
      const headers = { 'content-type': type };
      const outgoing = request(
        { socketPath: path, method: 'POST', path: url, headers },
        (response) => {
          let text = '';
          response.setEncoding('utf8').on('data', (chunk: string) => (text += chunk));
          response.on('end', () => resolve({ status: response.statusCode, text }));
        },
      );
      outgoing.on('error', reject);
      outgoing.end(body);
    },
  );
}

t.test("the socket is its owner's, and goes with the server", async (t) => {
  const path = await socketPath(t);
  const mask = process.umask();
  const server = await start(t, path);
  t.equal((await stat(path)).mode & 0o777, 0o600);
  t.equal(process.umask(), mask);
  await server.close();
  await t.rejects(stat(path));
});

t.test('a socket file that nobody listens on is replaced, another daemon is not', async (t) => {
  const path = await socketPath(t);
  await start(t, path);
  const other = createAdminServer({ path, status: async () => ({}), log: silentLog });
  const fault = await faultOf(other.listen());
  t.equal(fault.kind, 'refused');
  t.equal(fault.reason, 'in-use');
  t.ok(await createAdminClient(path).status(), 'the first still answers');

  const stale = `${path}.stale`;
  // A child that is killed leaves its socket file; so does a listener whose file is linked away.
  const listener = createServer().listen(`${path}.tmp`);
  await once(listener, 'listening');
  const { link } = await import('node:fs/promises');
  await link(`${path}.tmp`, stale);
  listener.close();
  await once(listener, 'close');
  t.ok((await stat(stale)).isSocket());
  await start(t, stale);
  t.ok(await createAdminClient(stale).status());

  const file = `${path}.file`;
  await writeFile(file, 'precious');
  const wrong = createAdminServer({ path: file, status: async () => ({}), log: silentLog });
  t.match((await faultOf(wrong.listen())).message, 'no socket');
  t.ok((await stat(file)).isFile());
});

t.test('status travels without loss, its faults too', async (t) => {
  const path = await socketPath(t);
  let status: () => Promise<unknown> = async () => ({ revision: 2n ** 62n, node: 'node1' });
  await start(t, path, { status: () => status() });
  const client = createAdminClient(path);
  t.strictSame(await client.status(), { revision: 2n ** 62n, node: 'node1' });
  status = async () => {
    throw new Fault('timeout', 'BIRD did not answer', { reason: 'bird', details: { after: '2s' } });
  };
  const fault = await faultOf(client.status());
  t.strictSame(
    [fault.kind, fault.reason, fault.message, fault.details],
    ['timeout', 'bird', 'BIRD did not answer', { after: '2s' }],
  );
  status = async () => {
    throw new Error('a defect');
  };
  t.equal((await faultOf(client.status())).kind, 'internal');
});

t.test('error kinds of the store survive the trip', async (t) => {
  const path = await socketPath(t);
  const store = createFaultyStore(createMemoryStore());
  await start(t, path, { store });
  const remote = createAdminClient(path).openStore();
  t.teardown(() => remote.close());
  for (const kind of ['refused', 'unavailable', 'timeout', 'outcome-unknown', 'corrupt'] as const) {
    store.failBefore('commit', 1, new Fault(kind, `${kind} it is`, { reason: 'why' }));
    const fault = await faultOf(
      remote.commit({ compares: [], writes: [{ key: '/a', value: '' }] }),
    );
    t.strictSame([fault.kind, fault.reason, fault.message], [kind, 'why', `${kind} it is`]);
  }
});

t.test('what has the wrong shape is refused', async (t) => {
  const path = await socketPath(t);
  await start(t, path, { store: createMemoryStore() });
  const bodies: readonly (readonly [string, string])[] = [
    ['/store/get', '{'],
    ['/store/get', '{}'],
    ['/store/get', '{"key":1}'],
    ['/store/get', '{"key":"/a","more":1}'],
    ['/store/commit', '{"compares":[{"key":"/a","revision":1}],"writes":[]}'],
    ['/store/commit', '{"compares":[{"key":"/a","revision":"-1"}],"writes":[]}'],
    ['/store/commit', '{"compares":[],"writes":[{"key":"/a"}]}'],
    ['/store/watch', '{"prefixes":"/","from":"1"}'],
  ];
  for (const [url, body] of bodies) {
    const { status, text } = await post(path, url, body);
    t.equal(status, 400, body);
    t.equal((JSON.parse(text) as { fault: { kind: string } }).fault.kind, 'invalid', text);
  }
  t.equal((await post(path, '/store/get', 'key=/a', 'text/plain')).status, 400);
  const large = `{"key":"${'x'.repeat(17 * 1024 * 1024)}"}`;
  const answer = await post(path, '/store/get', large).catch(() => undefined);
  t.ok(answer === undefined || answer.status === 400);
  t.equal((await post(path, '/nothing', '{}')).status, 404);
});

t.test('without an embedded store its routes say where to ask', async (t) => {
  const path = await socketPath(t);
  await start(t, path);
  const remote = createAdminClient(path).openStore();
  const fault = await faultOf(remote.get('/a'));
  t.equal(fault.kind, 'unsupported');
  t.match(fault.message, 'etcd');
  const lost: Fault[] = [];
  remote.watch({
    prefixes: ['/'],
    from: 1n,
    onChanges: () => undefined,
    onLost: (f) => void lost.push(f),
  });
  await until(() => lost.length === 1, 'the watch to be lost');
  t.equal(lost[0]?.kind, 'unsupported');
  t.equal((await faultOf(remote.hold('/h', 'x', 5))).kind, 'unsupported');
});

t.test('no daemon, or one that goes', async (t) => {
  const path = await socketPath(t);
  const absent = await faultOf(createAdminClient(path).status());
  t.equal(absent.kind, 'unavailable');
  t.match(
    absent.message,
    /cannot be reached at .*admin.sock: there is no such socket; is calico-libnetwork running/,
  );

  const memory = createMemoryStore();
  const server = await start(t, path, { store: memory });
  const remote = createAdminClient(path).openStore();
  const lost: Fault[] = [];
  const seen: unknown[] = [];
  remote.watch({
    prefixes: ['/'],
    from: 1n,
    onChanges: (changes) => void seen.push(...changes),
    onLost: (fault) => void lost.push(fault),
  });
  memory.put('/a', '1');
  await until(() => seen.length === 1, 'the change');
  await server.close();
  await until(() => lost.length === 1, 'the watch to be lost');
  t.equal(lost[0]?.kind, 'unavailable');
  t.equal(memory.openWatches, 0);
});

t.test('a client that goes ends its watch in the daemon', async (t) => {
  const path = await socketPath(t);
  const memory = createMemoryStore();
  await start(t, path, { store: memory });
  const remote = createAdminClient(path).openStore();
  const watch = { prefixes: ['/'], from: 1n, onChanges: () => undefined, onLost: () => undefined };
  const one = remote.watch(watch);
  remote.watch(watch);
  await until(() => memory.openWatches === 2, 'the watches');
  one.close();
  await until(() => memory.openWatches === 1, 'one to end');
  await remote.close();
  await until(() => memory.openWatches === 0, 'the other to end');
});

t.test('what the kernel of the host knows', async (t) => {
  const path = await socketPath(t);
  const asked: unknown[] = [];
  const insight: HostInsight = {
    counters: async (endpoint) => {
      asked.push(endpoint);
      return { node: 'n1', dataplane: 'internal' };
    },
    flows: async () => ({
      ...{ node: 'n1', dataplane: 'internal', hostAddresses: ['192.0.2.1'], isPartial: false },
      flows: [{ source: '10.0.0.1', destination: '10.0.0.2', protocol: 1 }],
    }),
  };
  await start(t, path, { insight });
  const client = createAdminClient(path);
  t.same(await client.counters({ kind: 'host', id: 'eth0' }), {
    node: 'n1',
    dataplane: 'internal',
  });
  t.same(asked, [{ kind: 'host', id: 'eth0' }]);
  t.match(await client.flows(), { flows: [{ source: '10.0.0.1', protocol: 1 }] });
  t.match(await post(path, '/policy/counters', '{"kind":"pod","id":"x"}'), { status: 400 });
  const bare = `${path}.bare`;
  await start(t, bare);
  t.equal((await faultOf(createAdminClient(bare).flows())).kind, 'unsupported');
});
