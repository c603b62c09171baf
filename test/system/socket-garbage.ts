import { once } from 'node:events';
import { readdirSync } from 'node:fs';
import type { Socket } from 'node:net';
import t, { type Test } from 'tap';
import { startBareHost } from '../fixtures/bare-host.js';
import type { CalicoHost } from '../fixtures/calico-host.js';
import { rssOf } from '../fixtures/footprint.js';
import { labObstacle } from '../fixtures/lab-host.js';
import { IPAM_SOCKET, NETWORK_SOCKET } from '../fixtures/plugin-daemon.js';
import { randomFrom } from '../fixtures/random-from.js';
import {
  BROKEN,
  callText,
  closing,
  damagedCall,
  exchange,
  halfRequests,
  open,
  UNKNOWN,
} from '../fixtures/socket-garbage.js';
import { dumpStore, outline } from '../fixtures/store-view.js';
import { until } from '../fixtures/until.js';

const SEED = Number(process.env['CALICO_TEST_SEED'] ?? 20_266);
/** More than a host has containers; each takes a descriptor of the daemon. */
const CONNECTIONS = 3_000;

t.test(`what is no call, seed ${SEED}`, { skip: labObstacle() ?? false }, async (t) => {
  const host = await startBareHost(t);
  const paths = [NETWORK_SOCKET, IPAM_SOCKET].map((path) => host.host.path(path));
  const random = randomFrom(SEED);
  const below = (bound: number): number => Math.floor(random() * bound);
  const { process: daemon } = host.daemon();
  const descriptors = (): number => readdirSync(`/proc/${daemon.pid}/fd`).length;
  const before = { store: outline(await dumpStore(host)), descriptors: descriptors() };
  for (const path of paths) {
    await t.test('requests that are broken or unknown', (t) => brokenRequests(t, path));
    await t.test('requests that end early', async (t) => {
      await halfRequests(path, below, 1_000);
      await alive(t, path);
    });
    await t.test('random bytes', async (t) => {
      for (let count = 0; count < 400; count += 1)
        await exchange(path, damagedCall(below), { boundMs: 50 });
      await alive(t, path);
    });
    await t.test('many at once and slowly', (t) => manyAndSlow(t, path));
    await t.test('huge bodies', (t) => hugeBodies(t, path));
  }
  await t.test(`${CONNECTIONS} connections`, (t) => manyConnections(t, host, paths));
  await until(() => descriptors() <= before.descriptors + 5, 'the connections to be gone');
  t.same(outline(await dumpStore(host)), before.store, 'the store is as it was');
  t.ok(rssOf(daemon.pid) < 400, `${rssOf(daemon.pid)} MiB`);
  t.notMatch(host.daemon().log(), /"level":"(?:error|fatal)"/, 'none of it is an error of ours');
  t.notMatch(host.daemon().log(), /Warning/, 'nor of Node');
});

async function alive(t: Test, path: string): Promise<void> {
  const { text } = await exchange(path, callText('Plugin.Activate', ''));
  t.match(text, /^HTTP\/1\.1 200 OK[\s\S]*Implements/, 'Activate is answered');
}

async function brokenRequests(t: Test, path: string): Promise<void> {
  for (const [name, bytes] of Object.entries(BROKEN)) {
    const { text, closed } = await exchange(path, bytes, { boundMs: 2_000 });
    // What is no HTTP may look like the beginning of it: then the rest is waited for.
    const refused = /^HTTP\/1\.1 4\d\d /.test(text) || closed;
    t.ok(refused || name === 'a TLS handshake', `${name}: ${text.slice(0, 60)}`);
  }
  for (const [name, bytes] of Object.entries(UNKNOWN)) {
    const { text } = await exchange(path, bytes);
    t.match(text, /^HTTP\/1\.1 40[04] [\s\S]*"Err":"/, `${name}: ${text.slice(0, 200)}`);
  }
  await alive(t, path);
}

async function manyAndSlow(t: Test, path: string): Promise<void> {
  const count = 300;
  const calls = callText('Plugin.Activate', '{}').repeat(count);
  const { text } = await exchange(path, calls, { answers: count });
  t.equal(text.split('HTTP/1.1 200').length - 1, count, 'as many answers as calls in one packet');
  const sockets = await Promise.all(Array.from({ length: 50 }, () => open(path)));
  const answers = sockets.map(async (socket) => String((await once(socket, 'data'))[0]));
  for (const byte of callText('Plugin.Activate', '{}')) {
    for (const socket of sockets) socket.write(byte);
    await new Promise((resolve) => setImmediate(resolve));
  }
  for (const answer of await Promise.all(answers)) t.match(answer, /200 OK/, 'byte by byte');
  for (const socket of sockets) socket.destroy();
}

async function hugeBodies(t: Test, path: string): Promise<void> {
  const body = JSON.stringify({ NetworkID: 'x'.repeat(9_000_000) });
  const results = await Promise.all(
    Array.from({ length: 8 }, () => exchange(path, callText('NetworkDriver.Leave', body))),
  );
  // The connection may be cut before its sender has read the answer.
  t.ok(results.every(({ text }) => text === '' || text.startsWith('HTTP/1.1 4')));
  const endless = await open(path);
  endless.write('POST /NetworkDriver.Leave HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n');
  const chunk = `10000\r\n${'y'.repeat(65_536)}\r\n`;
  const over = closing(endless);
  endless.resume();
  let sent = 0;
  while (!endless.destroyed && sent < 1_000 && endless.writable) {
    if (!endless.write(chunk)) await Promise.race([drained(endless), over]);
    sent += 1;
  }
  t.ok(sent < 1_000, `an endless body is cut after ${sent} chunks of 64 KiB`);
  endless.destroy();
  await alive(t, path);
}

const drained = (socket: Socket): Promise<void> =>
  new Promise((resolve) => socket.once('drain', () => resolve()));

async function manyConnections(
  t: Test,
  { daemon }: CalicoHost,
  paths: readonly string[],
): Promise<void> {
  const sockets = [];
  for (let at = 0; at < CONNECTIONS; at += 1) sockets.push(await open(paths[at % 2] ?? ''));
  const { network, ipam } = daemon();
  t.equal((await network.raw('Plugin.Activate')).status, 200);
  t.equal((await ipam.raw('IpamDriver.RequestPool', { Pool: '' })).status, 200);
  const answers = sockets.map(async (socket) => String((await once(socket, 'data'))[0]));
  for (const socket of sockets) socket.write(callText('Plugin.Activate', ''));
  const texts = await Promise.all(answers);
  t.equal(texts.filter((text) => text.includes('200 OK')).length, CONNECTIONS, 'each is answered');
  for (const socket of sockets) socket.destroy();
}
