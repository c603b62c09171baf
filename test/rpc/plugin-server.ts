import { EventEmitter, once } from 'node:events';
import { mkdtempSync, statSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import t from 'tap';
import { Type } from 'typebox';
import { Fault, orAbort, silentLog, systemClock } from '../../src/base/index.js';
import { createPluginServer, type CallObserver, type PluginMethod } from '../../src/rpc/index.js';
import { createEngineClient } from '../fixtures/engine-client.js';

const methods = new Map<string, PluginMethod>([
  ['X.Constant', { boundMs: 1_000, emptyBody: true, run: async () => ({ fine: true }) }],
  [
    'X.Echo',
    {
      schema: Type.Object({ Name: Type.String() }),
      boundMs: 1_000,
      run: async (body) => ({ got: body }),
    },
  ],
  [
    'X.Fails',
    {
      boundMs: 1_000,
      emptyBody: true,
      run: async () => {
        throw new Fault('exhausted', 'nothing left\nin two lines');
      },
    },
  ],
  ['X.Hangs', { boundMs: 50, emptyBody: true, run: () => new Promise(() => undefined) }],
  [
    'X.Explains',
    {
      boundMs: 50,
      emptyBody: true,
      run: async (_body, signal) => {
        await orAbort(new Promise(() => undefined), signal).catch(async (error: unknown) => {
          await Promise.resolve();
          throw new Fault('unavailable', 'the store was not there', { cause: error });
        });
      },
    },
  ],
  [
    'X.Breaks',
    {
      boundMs: 1_000,
      emptyBody: true,
      run: () => {
        throw new TypeError('a defect');
      },
    },
  ],
]);

async function start(
  t: { teardown(done: () => Promise<void>): unknown },
  errorField: 'Err' | 'Error',
  observe?: CallObserver,
) {
  const path = join(mkdtempSync(join(tmpdir(), 'plugin-server-')), 'x.sock');
  const options = { name: 'x', errorField, methods, log: silentLog, clock: systemClock };
  const server = createPluginServer(observe === undefined ? options : { ...options, observe });
  await server.listen({ path });
  const client = createEngineClient(path, { retryPausesMs: [] });
  t.teardown(async () => {
    client.close();
    await server.close();
  });
  return { path, client, server };
}

t.test('bodies come without a content type, and may be anything', async (t) => {
  const { path, client } = await start(t, 'Err');
  t.equal(statSync(path).mode & 0o777, 0o600, 'the socket is for root alone');
  t.same((await client.call('X.Echo', { Name: 'a', More: null })).got, { Name: 'a', More: null });
  t.same(await client.call('X.Constant'), { fine: true });
  for (const body of ['', '{', '[]', '"text"', '{"Name":5}', '{}', 'null']) {
    const answer = await client.raw('X.Echo', body);
    t.equal(answer.status, 400, `${JSON.stringify(body)} is refused`);
    t.type(JSON.parse(answer.text).Err, 'string');
  }
  const huge = await client
    .raw('X.Echo', JSON.stringify({ Name: 'a'.repeat(9 * 1024 * 1024) }))
    .catch(() => undefined);
  t.ok(huge === undefined || huge.status >= 400, 'a body above the limit is refused');
  t.same(await client.call('X.Constant'), { fine: true }, 'and the server goes on');
  const unknown = await client.raw('X.Nothing', '{}');
  t.equal(unknown.status, 404);
  t.match(JSON.parse(unknown.text).Err, /has no method/);
});

t.test('errors are one line in the field that the driver’s client reads', async (t) => {
  const network = await start(t, 'Err');
  const failed = await network.client.raw('X.Fails');
  t.equal(failed.status, 500);
  t.same(JSON.parse(failed.text), { Err: 'nothing left; in two lines' });
  const ipam = await start(t, 'Error');
  const refused = await ipam.client.raw('X.Fails');
  t.equal(refused.status, 200);
  t.same(JSON.parse(refused.text), { Error: 'nothing left; in two lines' });
});

t.test('a method that hangs is answered at its bound, one that throws at once', async (t) => {
  const seen: string[] = [];
  const { client } = await start(
    t,
    'Err',
    ({ method, result }) => void seen.push(`${method} ${result}`),
  );
  t.match((await client.raw('X.Hangs')).text, /did not finish within its bound/);
  t.match((await client.raw('X.Breaks')).text, /a defect/);
  t.same(seen, ['X.Hangs timeout', 'X.Breaks internal']);
});

t.test('at its bound a method may say what it waited for', async (t) => {
  const { client } = await start(t, 'Err');
  await t.rejects(client.call('X.Explains', {}), {
    message: 'X.Explains: the store was not there',
  });
});

t.test('a stale socket file gives way, a living listener does not', async (t) => {
  const directory = mkdtempSync(join(tmpdir(), 'plugin-server-'));
  const path = join(directory, 'y.sock');
  const options = {
    name: 'y',
    errorField: 'Err',
    methods,
    log: silentLog,
    clock: systemClock,
  } as const;
  const first = createPluginServer(options);
  await first.listen({ path });
  const second = createPluginServer(options);
  await t.rejects(second.listen({ path }), /another daemon listens on it/);
  await first.close();
  const dead = createServer();
  await new Promise<void>((resolve) => dead.listen(join(directory, 'z.sock'), resolve));
  dead.close();
  writeFileSync(join(directory, 'file.sock'), 'no socket');
  const third = createPluginServer(options);
  await third.listen({ path });
  t.teardown(() => third.close());
});

t.test('while it stops, running calls are answered and told to close', async (t) => {
  const events = new EventEmitter();
  const slow = new Map<string, PluginMethod>([
    [
      'X.Slow',
      {
        boundMs: 5_000,
        emptyBody: true,
        run: async () => {
          const finished = once(events, 'finish');
          events.emit('entered');
          await finished;
          return {};
        },
      },
    ],
  ]);
  const path = join(mkdtempSync(join(tmpdir(), 'plugin-server-')), 's.sock');
  const log = silentLog;
  const server = createPluginServer({
    name: 's',
    errorField: 'Err',
    methods: slow,
    log,
    clock: systemClock,
  });
  await server.listen({ path });
  const client = createEngineClient(path, { retryPausesMs: [] });
  const entered = once(events, 'entered');
  const answer = client.raw('X.Slow');
  await entered;
  const closed = server.close();
  events.emit('finish');
  t.equal((await answer).headers.connection, 'close');
  client.close();
  await closed;
});

t.test('a meter that fails does not fail the call', async (t) => {
  const { client } = await start(t, 'Err', () => {
    throw new Error('no room');
  });
  t.same(await client.call('X.Echo', { Name: 'a' }), { got: { Name: 'a' } });
});

t.test('a descriptor that is none is told', async () => {
  const parts = { name: 'p', errorField: 'Err', methods, log: silentLog } as const;
  const server = createPluginServer({ ...parts, clock: systemClock });
  await t.rejects(server.listen({ fd: 9_999 }), /cannot listen/);
  await server.close();
});
