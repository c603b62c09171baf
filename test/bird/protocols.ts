import { createServer, type Socket } from 'node:net';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { once } from 'node:events';
import t, { type Test } from 'tap';
import { askBird, sessionsOf, showProtocols, watchBird } from '../../src/bird/index.js';
import { faultOf } from '../fixtures/fault-of.js';

/** What BIRD 2.0.12 says, word for word. */
const BANNER = '0001 BIRD 2.0.12 ready.\n';
const PROTOCOLS = `2002-Name       Proto      Table      State  Since         Info
1002-device1    Device     ---        up     06:58:58.342  
 kernel4    Kernel     master4    up     06:58:58.342  
 Mesh_172_16_60_216 BGP        ---        up     06:59:00.131  Established   
 Mesh_fd60__216 BGP        ---        start  2026-11-20    Active        Socket: Connection refused
 Node_192_0_2_1_port_1790 BGP        ---        start  2026-11-20 06:58:58  Idle          BGP Error: Bad peer AS
 Node_192_0_2_2_port_179 BGP        ---        down   06:58:58      
 Global_fd00__1_port_1790 BGP        ---        up     06:59:00.131  Established   
 uplink     BGP        ---        up     06:59:00.131  Established   
0000 
`;

/** Listens on a socket and answers each command with the next text, cut into pieces as a slow writer would. */
async function listen(
  t: Test,
  answers: readonly string[],
): Promise<{ path: string; connections: readonly Socket[] }> {
  const folder = mkdtempSync(join(tmpdir(), 'bird-'));
  const path = join(folder, 'bird.ctl');
  const connections: Socket[] = [];
  const server = createServer((socket) => {
    connections.push(socket);
    const left = [...answers];
    socket.write(BANNER);
    socket.on('data', () => {
      const answer = left.shift() ?? '9001 syntax error, unexpected CF_SYM_UNDEFINED\n';
      for (let at = 0; at < answer.length; at += 50) socket.write(answer.slice(at, at + 50));
    });
    socket.on('error', () => undefined);
  });
  server.listen(path);
  await once(server, 'listening');
  t.teardown(() => {
    server.close();
    rmSync(folder, { recursive: true });
  });
  return { path, connections };
}

t.test('protocols and the sessions among them', async (t) => {
  const { path } = await listen(t, [PROTOCOLS]);
  const protocols = await showProtocols(path);
  t.equal(protocols.length, 8);
  t.match(protocols[0], { name: 'device1', type: 'Device', state: 'up', info: '' });
  const own = sessionsOf(protocols).map(({ peer, family, type, state, since, info }) =>
    [peer, family, type, state, since, info].join(' | '),
  );
  t.same(own, [
    '172.16.60.216 | 4 | node-to-node mesh | up | 06:59:00.131 | Established',
    'fd60::216 | 6 | node-to-node mesh | start | 2026-11-20 | Active Socket: Connection refused',
    '192.0.2.1:1790 | 4 | node specific | start | 2026-11-20 06:58:58 | Idle BGP Error: Bad peer AS',
    '192.0.2.2 | 4 | node specific | down | 06:58:58 | ',
    '[fd00::1]:1790 | 6 | global | up | 06:59:00.131 | Established',
  ]);
});

t.test('answers to commands', async (t) => {
  const { path } = await listen(t, ['0002-Reading configuration from x\n0003 Reconfigured\n']);
  t.same(await askBird(path, 'configure'), {
    code: 3,
    lines: [
      { code: 2, text: 'Reading configuration from x' },
      { code: 3, text: 'Reconfigured' },
    ],
  });
  const { path: other } = await listen(t, []);
  t.match(await faultOf(showProtocols(other)), { kind: 'corrupt', message: /syntax error/ });
});

t.test('nobody listens', async (t) => {
  t.match(await faultOf(askBird('/nowhere/bird.ctl', 'x')), {
    kind: 'unavailable',
    message: /BIRD does not listen at \/nowhere\/bird.ctl: ENOENT/,
  });
});

t.test('the end of a BIRD is heard, and only that', async (t) => {
  const { path, connections } = await listen(t, []);
  let told = 0;
  const watch = await watchBird(path, () => (told += 1));
  watch.close();
  let ended = (): void => undefined;
  const end = new Promise<void>((resolve) => (ended = resolve));
  await watchBird(path, ended);
  for (const socket of connections) socket.destroy();
  await end;
  t.equal(told, 0, 'not by who gave up watching');
});
