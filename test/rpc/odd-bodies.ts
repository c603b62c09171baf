// What a body may do to the answer and to the server that gives it.
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import t, { type Test } from 'tap';
import { Type } from 'typebox';
import { Fault, silentLog, systemClock } from '../../src/base/index.js';
import { createPluginServer, type PluginMethod } from '../../src/rpc/index.js';
import { createEngineClient, type EngineClient } from '../fixtures/engine-client.js';

const methods = new Map<string, PluginMethod>([
  [
    'X.Repeat',
    {
      schema: Type.Object({ Text: Type.Optional(Type.String()) }),
      boundMs: 1_000,
      run: async (body) => {
        throw new Fault('invalid', `unknown option ${(body as { Text?: string }).Text}`);
      },
    },
  ],
  ['X.Echo', { schema: Type.Object({}), boundMs: 1_000, run: async (body) => ({ got: body }) }],
]);

async function start(t: Test): Promise<EngineClient> {
  const folder = mkdtempSync(join(tmpdir(), 'odd-bodies-'));
  const path = join(folder, 'x.sock');
  const server = createPluginServer({
    name: 'x',
    errorField: 'Err',
    methods,
    log: silentLog,
    clock: systemClock,
  });
  await server.listen({ path });
  const client = createEngineClient(path);
  t.teardown(async () => {
    client.close();
    await server.close();
    rmSync(folder, { recursive: true });
  });
  return client;
}

const errorOf = (text: string): string => (JSON.parse(text) as { Err: string }).Err;

t.test('an error that quotes megabytes of spaces is cut, and soon told', async (t) => {
  const client = await start(t);
  const { status, text } = await client.raw('X.Repeat', { Text: ' '.repeat(2_000_000) });
  t.equal(status, 400);
  t.match(errorOf(text), /^unknown option/);
  t.ok(text.length < 1_200);
});

t.test('every sort of line end makes one line', async (t) => {
  const client = await start(t);
  const { text } = await client.raw('X.Repeat', { Text: 'a\r\nb\rc\u2028d \n e' });
  t.equal(errorOf(text), 'unknown option a; b; c; d; e');
});

t.test('what could not be written again is not read', async (t) => {
  const client = await start(t);
  const deep = (levels: number): string => `{"a":${'['.repeat(levels)}${']'.repeat(levels)}}`;
  t.match(await client.bytes('X.Echo', deep(99)), { status: 200 });
  const refused = await client.bytes('X.Echo', deep(100_000));
  t.equal(refused.status, 400);
  t.match(errorOf(refused.text), /nested deeper than 100/);
});

t.test('brackets in texts are no depth', async (t) => {
  const client = await start(t);
  const body = { a: '['.repeat(500), b: `"{{{\\${'{'.repeat(200)}` };
  t.same(JSON.parse((await client.raw('X.Echo', body)).text), { got: body });
});

t.test('what is no JSON, no object or too much', async (t) => {
  const client = await start(t);
  for (const payload of ['{"a":', 'x', 'null', '[]', '7', '', ' \n'])
    t.equal((await client.bytes('X.Echo', payload)).status, 400, JSON.stringify(payload));
});

t.test('a path that cannot be decoded has an error that Docker reads', async (t) => {
  const client = await start(t);
  for (const path of ['%ZZ%', 'a%E0%A4%A', '%']) {
    const { status, text } = await client.raw(path, {});
    t.equal(status, 400, path);
    t.match((JSON.parse(text) as { Err: string }).Err, /not a valid url/);
  }
});
