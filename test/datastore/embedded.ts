import { spawn, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { mkdir, mkdtemp, readdir, readFile, rm, stat, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import t, { type Test } from 'tap';
import { silentLog } from '../../src/base/index.js';
import type { Store } from '../../src/datastore/index.js';
import { createEmbeddedStore } from '../../src/datastore/embedded/index.js';
import { faultOf } from '../fixtures/fault-of.js';
import { until } from '../fixtures/until.js';

const writer = new URL('../fixtures/embedded-writer.ts', import.meta.url).pathname;

async function folder(t: Test): Promise<string> {
  const path = await mkdtemp(join(tmpdir(), 'embedded-test-'));
  t.teardown(() => rm(path, { recursive: true, force: true }));
  return path;
}

interface Child {
  readonly process: ChildProcess;
  readonly lines: string[];
  /** Signals and waits. */
  end(signal: NodeJS.Signals): Promise<void>;
}

function start(t: Test, command: string, args: readonly string[]): Child {
  const child = spawn(command, args, { stdio: ['pipe', 'pipe', 'ignore'] });
  const lines: string[] = [];
  createInterface({ input: child.stdout }).on('line', (line) => void lines.push(line));
  const end = async (signal: NodeJS.Signals): Promise<void> => {
    if (child.exitCode !== null || child.signalCode !== null) return;
    const ended = once(child, 'close');
    child.kill(signal);
    await ended;
  };
  t.teardown(() => end('SIGKILL'));
  return { process: child, lines, end };
}

const startWriter = (t: Test, directory: string, mode: string): Child =>
  start(t, process.execPath, ['--import=tsx', writer, directory, mode]);

const openStore = (t: Test, directory: string): Store => {
  const store = createEmbeddedStore({ directory, log: silentLog });
  t.teardown(() => store.close());
  return store;
};

const put = (store: Store, key: string, value: string): ReturnType<Store['commit']> =>
  store.commit({ compares: [], writes: [{ key, value }] });

t.test('nothing exists before the first call', async (t) => {
  const directory = join(await folder(t), 'deep', 'er');
  const store = openStore(t, directory);
  await t.rejects(stat(directory));
  await put(store, '/a', '1');
  t.equal((await stat(directory)).mode & 0o777, 0o700);
});

t.test('everything survives close and open, the identity too', async (t) => {
  const directory = await folder(t);
  const first = createEmbeddedStore({ directory, log: silentLog });
  const { revision } = await put(first, '/a', '1');
  const { id } = await first.identify();
  await first.close();
  const second = openStore(t, directory);
  t.strictSame(await second.identify(), { id, revision });
  t.strictSame(await second.get('/a'), { key: '/a', value: '1', revision });
  const lost: string[] = [];
  const watch = { prefixes: ['/'], onChanges: () => undefined };
  second.watch({ ...watch, from: revision, onLost: (fault) => void lost.push(fault.reason) });
  await until(() => lost.length === 1, 'the watch from before the start to be lost');
  t.strictSame(lost, ['compacted']);
});

t.test('killed at any time: all that was answered is there, whole', async (t) => {
  const directory = await folder(t);
  for (let round = 1; round <= 3; round += 1) {
    const child = startWriter(t, directory, 'write');
    await until(() => child.lines.length > 500 * round, 'commits');
    await child.end('SIGKILL');
    const answered = child.lines.map(Number);
    const store = createEmbeddedStore({ directory, log: silentLog });
    const [a, b] = await Promise.all([store.list('/a/'), store.list('/b/')]);
    const numbers = new Set(a.entries.map(({ value }) => Number(value)));
    t.strictSame(
      answered.filter((number) => !numbers.has(number)),
      [],
    );
    const pairs = (entries: typeof a.entries): string[] =>
      entries.map(({ key, revision }) => `${key.slice(3)}@${revision}`);
    t.strictSame(pairs(a.entries), pairs(b.entries), 'both writes of a commit or none');
    await store.close();
  }
});

t.test('a second process is refused and told whom', async (t) => {
  const directory = await folder(t);
  const child = startWriter(t, directory, 'hold');
  await until(() => child.lines.includes('held'), 'the child to hold');
  const store = openStore(t, directory);
  const fault = await faultOf(store.get('/held'));
  t.equal(fault.kind, 'refused');
  t.equal(fault.reason, 'locked');
  t.match(fault.message, `in use by process ${child.process.pid} (pid ${child.process.pid})`);
  t.equal(fault.details['pid'], child.process.pid);

  await child.end('SIGKILL');
  t.equal(
    await store.get('/held'),
    undefined,
    'the lock is stale, and the hold ended with its holder',
  );
  await store.close();
  t.strictSame((await readdir(directory)).sort(), [
    'datastore.mdb',
    'datastore.mdb-lock',
    'lock.2',
  ]);
});

t.test('one process cannot open a directory twice', async (t) => {
  const directory = await folder(t);
  const store = openStore(t, directory);
  await put(store, '/a', '1');
  const fault = await faultOf(openStore(t, directory).get('/a'));
  t.equal(fault.reason, 'locked');
  t.match(fault.message, 'this process itself');
});

t.test('stale locks of every sort are taken over', async (t) => {
  const own = await readFile('/proc/self/stat', 'utf8');
  const start = own.slice(own.lastIndexOf(')') + 2).split(' ')[19];
  const boot = (await readFile('/proc/sys/kernel/random/boot_id', 'utf8')).trim();
  const namespace = 'pid:[1]';
  const locks = {
    'pid reused': { pid: process.pid, start: `${start}1`, boot, namespace },
    'earlier boot': { pid: process.pid, start, boot: 'another', namespace },
    'no such process': { pid: 2 ** 22 + 5, start: '1', boot, namespace },
    empty: undefined,
  };
  for (const [name, lock] of Object.entries(locks)) {
    const directory = await folder(t);
    await writeFile(join(directory, 'lock.7'), lock === undefined ? '' : JSON.stringify(lock));
    const store = openStore(t, directory);
    t.ok((await put(store, '/a', '1')).committed, name);
    await store.close();
  }
});

t.test('ten that start at once: one gets it', async (t) => {
  const directory = await folder(t);
  await writeFile(
    join(directory, 'lock.7'),
    '{"pid":4194309,"start":"1","boot":"x","namespace":"x"}',
  );
  for (let round = 1; round <= 20; round += 1) {
    const stores = Array.from({ length: 10 }, () => openStore(t, directory));
    const results = await Promise.allSettled(stores.map((store) => put(store, '/a', '1')));
    t.equal(results.filter((result) => result.status === 'fulfilled').length, 1);
    await Promise.all(stores.map((store) => store.close()));
  }
  t.equal((await readdir(directory)).length, 3, 'one lock file is left');
});

t.test('a full disk: read-only with the reason, and back by itself', async (t) => {
  const mount = await folder(t);
  const script = `mount -t tmpfs -o size=1m none ${mount} && head -c 300000 /dev/zero > ${mount}/ballast &&
    exec ${process.execPath} --import=tsx ${writer} ${mount}/store fill`;
  const child = start(t, 'unshare', ['-m', 'sh', '-c', script]);
  await until(
    () => child.lines.includes('full') || child.process.exitCode !== null,
    'a full disk',
    30_000,
  );
  const [refusal = '', state = '', again = ''] = child.lines;
  t.match(refusal, /^refused out-of-space .*is read-only: .*free some space/);
  const [, written, present, revision] =
    /^written (\d+) present (\d+) revision (\d+)$/.exec(state) ?? [];
  t.equal(present, written, 'what was answered is there, what was refused is not');
  t.equal(Number(revision), Number(written) + 1);
  t.equal(again, 'refused refused');
  await rm(`/proc/${child.process.pid}/root${mount}/ballast`);
  child.process.stdin?.end();
  await once(child.process, 'close');
  t.equal(child.process.exitCode, 0);
  t.equal(child.lines.at(-1), 'after true 1 y');
});

t.test('a folder that cannot be used, a file that is none', async (t) => {
  const directory = await folder(t);
  await writeFile(join(directory, 'file'), '');
  const fault = await faultOf(openStore(t, join(directory, 'file', 'x')).get('/a'));
  t.equal(fault.kind, 'refused');
  t.match(fault.message, 'file/x');
  await mkdir(join(directory, 'bad'));
  await writeFile(join(directory, 'bad', 'datastore.mdb'), 'x'.repeat(10_000));
  t.equal((await faultOf(openStore(t, join(directory, 'bad')).get('/a'))).kind, 'corrupt');
});

/** How many transactions the file has had: the larger `mm_txnid` of LMDB's two meta pages. */
async function transactions(directory: string): Promise<number> {
  const bytes = await readFile(join(directory, 'datastore.mdb'));
  return Math.max(...[0, 4096].map((page) => Number(bytes.readBigUInt64LE(page + 152))));
}

t.test('claims and releases that wait share a durable transaction', async (t) => {
  const directory = await folder(t);
  const store = openStore(t, directory);
  await put(store, '/a', '1');
  const alone = await transactions(directory);
  await put(store, '/a', '2');
  t.equal(await transactions(directory), alone + 1, 'the count is what it is taken for');

  const block = JSON.stringify({ allocations: Array.from({ length: 256 }, (_, i) => i) });
  let pairs = 0;
  const end = performance.now() + 1000;
  const lane = async (_: unknown, index: number): Promise<void> => {
    const key = `/calico/ipam/v2/assignment/ipv4/block/10.0.${index}.0-24`;
    let revision = 0n;
    while (performance.now() < end) {
      const handle = `/calico/ipam/v2/handle/docker.node.${index}.${pairs}`;
      for (const value of ['{"block":1}', null]) {
        const writes = [
          { key, value: block },
          { key: handle, value },
        ];
        const result = await store.commit({ compares: [{ key, revision }], writes });
        if (!result.committed) throw new Error('nobody else writes this block');
        revision = result.revision;
      }
      pairs += 1;
    }
  };
  await Promise.all(Array.from({ length: 32 }, lane));
  const used = (await transactions(directory)) - alone - 1;
  t.comment(`${pairs} durable pairs in a second, ${used} transactions`);
  t.ok(2 * pairs > 8 * used, `${2 * pairs} commits in ${used} transactions`);
});
