import { mkdtemp, rm } from 'node:fs/promises';
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import t, { type Test } from 'tap';
import { createEngineClient, EngineError, PLUGIN_MEDIA_TYPE } from '../fixtures/engine-client.js';

interface Seen {
  readonly headers: string[];
  readonly body: string;
}

/** A plugin socket whose answers the test decides; what came in is in `seen`. */
async function socket(
  t: Test,
  answer: (seen: Seen, response: ServerResponse, request: IncomingMessage, nth: number) => void,
): Promise<{ readonly path: string; readonly seen: Seen[] }> {
  const seen: Seen[] = [];
  const server = createServer((request, response) => {
    let body = '';
    request.on('data', (chunk: Buffer) => {
      body += chunk.toString();
    });
    request.on('end', () => {
      const one = { headers: request.rawHeaders, body };
      seen.push(one);
      answer(one, response, request, seen.length);
    });
  });
  // A socket's path has 107 characters at most, and a test's own folder is as deep as its checkout.
  const folder = await mkdtemp(join(tmpdir(), 'calico-client-'));
  t.teardown(() => rm(folder, { recursive: true }));
  const path = join(folder, 's');
  await new Promise<void>((resolve) => server.listen(path, resolve));
  t.teardown(() => {
    server.closeAllConnections();
    server.close();
  });
  return { path, seen };
}

t.test('requests look as Docker sends them', async (t) => {
  const { path, seen } = await socket(t, (_, response) => response.end('{}'));
  const client = createEngineClient(path);
  t.teardown(() => client.close());
  await client.call('Plugin.Activate');
  await client.call('NetworkDriver.Leave', { NetworkID: 'n' });
  t.equal(seen[0]?.body, '', 'no argument, no body');
  t.equal(seen[1]?.body, '{"NetworkID":"n"}\n');
  const headers = seen[1]?.headers ?? [];
  t.same(
    headers.filter((_, index) => index % 2 === 0).sort(),
    ['Accept', 'Content-Length', 'Host', 'User-Agent'],
    'no Content-Type, no Connection',
  );
  t.equal(headers[headers.indexOf('Accept') + 1], PLUGIN_MEDIA_TYPE);
  t.equal(headers[headers.indexOf('Host') + 1], 'plugin.moby.localhost');
});

t.test('answers are read as Docker reads them', async (t) => {
  const answers: readonly (readonly [number, string])[] = [
    [200, '{"ERR":"no such network"}'],
    [200, '{"Error":"other spelling"}'],
    [500, '{"Err":"broken"}'],
    [404, 'nothing here'],
    [200, ''],
    [200, 'null'],
  ];
  const { path } = await socket(t, (_, response, __, nth) => {
    const [status, text] = answers[nth - 1] ?? [500, ''];
    response.statusCode = status;
    response.end(text);
  });
  const client = createEngineClient(path);
  t.teardown(() => client.close());
  const method = 'NetworkDriver.Join';
  await t.rejects(client.call(method, {}), { message: 'remote: no such network', status: 200 });
  t.same(
    await client.call(method, {}),
    { Error: 'other spelling' },
    "IPAM's spelling is no error here",
  );
  await t.rejects(client.call(method, {}), { message: 'NetworkDriver.Join: broken', status: 500 });
  await t.rejects(client.call(method, {}), { message: 'NetworkDriver.Join: nothing here' });
  await t.rejects(client.call(method, {}), { message: /EOF/ });
  t.same(await client.call(method, {}), {}, 'null is an empty answer');
});

t.test('a broken connection is tried again without the body', async (t) => {
  const { path, seen } = await socket(t, (_, response, request, nth) => {
    if (nth === 1) request.socket.destroy();
    else response.end('{}');
  });
  const client = createEngineClient(path, { retryPausesMs: [10] });
  t.teardown(() => client.close());
  await client.call('NetworkDriver.Leave', { NetworkID: 'n' });
  t.same(
    seen.map((one) => one.body),
    ['{"NetworkID":"n"}\n', ''],
  );
});

t.test('a socket that is not there fails after the last try', async (t) => {
  const client = createEngineClient(join(t.testdir(), 'none'), { retryPausesMs: [1, 1] });
  await t.rejects(client.call('Plugin.Activate'), EngineError);
});
