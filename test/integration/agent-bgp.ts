import { createServer } from 'node:net';
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import t, { type Test } from 'tap';
import type { Agent } from '../../src/agent/index.js';
import { affinityKey, resourceKey } from '../../src/datastore/index.js';
import { Cidr } from '../../src/model/index.js';
import { completeResource, encodeResource, readManifests } from '../../src/model/v3/index.js';
import { attachOutside, startAgent, type RunningAgent } from '../fixtures/agent-host.js';
import { v3 } from '../fixtures/bgp-facts.js';
import { findProgram } from '../fixtures/lab-host.js';
import { alive, sendSignal } from '../fixtures/lab-process.js';
import { createMemoryStore, type MemoryStore } from '../fixtures/memory-store.js';
import type { NetworkNamespace } from '../fixtures/network-namespace.js';
import { inPrivateNamespace, run } from '../fixtures/private-namespace.js';
import { until } from '../fixtures/until.js';

const skip = findProgram('bird') === undefined ? 'needs the program bird' : false;

/** The other side: a BIRD at 192.0.2.2, and one with a password at .3; one alone would take turns between them. */
const PEERS = {
  mesh: `router id 192.0.2.2;
protocol device { }
protocol direct { ipv4; }
protocol static two { ipv4; route 10.20.2.0/26 blackhole; }
protocol bgp mesh { local 192.0.2.2 as 64512; neighbor 192.0.2.1 as 64512; multihop; strict bind on;
  connect delay time 1; error wait time 1, 2; ipv4 { import all; export where net ~ [ 10.20.2.0/26 ]; }; }
`,
  secret: `router id 192.0.2.3;
protocol device { }
protocol bgp secret { local 192.0.2.3 as 64512; neighbor 192.0.2.1 as 64512; multihop; strict bind on;
  connect delay time 1; error wait time 1, 2; password "s3cr3t"; ipv4 { import all; export none; }; }
`,
};

interface Scene {
  /** The test that outlives the parts. */
  readonly t: Test;
  readonly store: MemoryStore;
  readonly folder: string;
  readonly outside: NetworkNamespace;
  running: RunningAgent;
}

await inPrivateNamespace(
  import.meta.url,
  () => {
    t.test('BGP of one host, with everything that goes wrong', { skip }, async (t) => {
      const scene = await setUp(t);
      await t.test('a session, and the route of the other side', (t) => session(t, scene));
      await t.test('a wrong AS number and a peer that is not there', (t) => wrongPeers(t, scene));
      await t.test('passwords', (t) => passwords(t, scene));
      await t.test('files of the operator', (t) => includes(t, scene));
      await t.test('a BIRD that hangs', (t) => hangs(t, scene));
      await t.test('a dead peer holds no route back', (t) => deadPeer(t, scene));
      await t.test('another BIRD at our socket', (t) => foreign(t, scene));
      await t.test('another program on the BGP port', (t) => portTaken(t, scene));
      await t.test('without the program', (t) => withoutProgram(t, scene));
      await t.test('nobody to speak to', (t) => silence(t, scene));
    });
  },
  { processes: true },
);

async function setUp(t: Test): Promise<Scene> {
  const folder = mkdtempSync(join(tmpdir(), 'agent-bgp-'));
  for (const name of ['run', 'bird.d', 'mesh', 'secret']) mkdirSync(join(folder, name));
  t.teardown(() => {
    for (const name of ['run', 'mesh', 'secret']) endBird(join(folder, name));
    rmSync(folder, { recursive: true });
  });
  const outside = await attachOutside(t);
  outside.run('ip', 'addr', 'add', '192.0.2.3/24', 'dev', 'eth0');
  for (const [name, text] of Object.entries(PEERS)) {
    writeFileSync(join(folder, name, 'bird.conf'), text);
    startBird(outside, join(folder, name));
  }
  const store = createMemoryStore();
  put(store, v3('Node', 'node1', '{bgp: {ipv4Address: 192.0.2.1/24}}'));
  put(store, v3('Node', 'node2', '{bgp: {ipv4Address: 192.0.2.2/24}}'));
  put(store, v3('IPPool', 'pool', '{cidr: 10.20.0.0/16}'));
  store.put(
    affinityKey('node1', Cidr.parse('10.20.1.0/26')),
    '{"state":"confirmed","deleted":false}',
  );
  const running = await startBgpAgent(t, store, folder);
  return { t, store, folder, outside, running };
}

function startBgpAgent(t: Test, store: MemoryStore, folder: string): Promise<RunningAgent> {
  const bgp = {
    runDir: join(folder, 'run'),
    includeFolder: join(folder, 'bird.d'),
    passwordFile: join(folder, 'passwords.yaml'),
    routerId: '',
    bfd: false,
  };
  return startAgent(t, store, { settings: { bgp, iptables: false } });
}

function startBird(outside: NetworkNamespace, folder: string): void {
  const path = (name: string): string => join(folder, name);
  outside.run('bird', '-c', path('bird.conf'), '-s', path('bird.ctl'), '-P', path('bird.pid'));
}

function birdPid(folder: string): number | undefined {
  try {
    return Number(readFileSync(join(folder, 'bird.pid'), 'utf8'));
  } catch {
    return undefined; // It never started.
  }
}

function endBird(folder: string): void {
  const pid = birdPid(folder);
  if (pid === undefined || pid <= 0) return;
  sendSignal(pid, 'SIGCONT');
  sendSignal(pid, 'SIGKILL');
}

/** SIGKILL, and waits until it is gone: until then a new one finds it running. */
async function killBird(folder: string): Promise<void> {
  const pid = birdPid(join(folder, 'run'));
  if (pid === undefined) throw new Error('our BIRD does not run');
  sendSignal(pid, 'SIGKILL');
  await until(() => !alive(pid), 'BIRD to be gone');
}

function put(store: MemoryStore, yaml: string): void {
  for (const { kind, resource } of readManifests(yaml, 'test.yaml')) {
    const text = encodeResource(completeResource(kind, resource));
    store.put(resourceKey(kind.plural, resource.metadata.name), text);
  }
}

const infos = (agent: Agent): Record<string, string> =>
  Object.fromEntries(agent.status().bgp.sessions.map(({ peer, info }) => [peer, info]));

const isUp = (agent: Agent, peer: string): boolean => infos(agent)[peer] === 'Established';

const reasons = (agent: Agent): string[] =>
  agent.status().decisions.map(({ reason, subject, details }) => `${reason} ${subject} ${details}`);

/** Lines of `ip route` with BIRD's mark. */
const routes = (): string[] =>
  run('ip', 'route', 'show', 'proto', 'bird')
    .trim()
    .split('\n')
    .map((line) => line.trim());

const wholeTable = [
  '10.20.2.0/26 via 192.0.2.2 dev eth0 metric 32',
  'blackhole 10.20.1.0/26 metric 32',
];
const hasRoutes = (): boolean => wholeTable.every((line) => routes().includes(line));

async function session(t: Test, { running: { agent }, folder }: Scene): Promise<void> {
  await until(() => isUp(agent, '192.0.2.2'), 'the session', 15_000);
  await until(hasRoutes, 'the routes');
  t.match(agent.status(), { bgp: { state: 'running', version: /^2\./ }, parts: { bgp: {} } });
  t.same(reasons(agent), []);
  const conf = join(folder, 'run/bird.conf');
  t.equal(run('stat', '-c', '%a', conf).trim(), '600', 'passwords may be in it');
}

async function wrongPeers(t: Test, { store, running: { agent } }: Scene): Promise<void> {
  put(store, v3('BGPPeer', 'gone', '{peerIP: 192.0.2.77, asNumber: 64512}'));
  put(store, v3('BGPPeer', 'nobody', '{nodeSelector: has(nothing), peerIP: 192.0.2.78}'));
  await until(() => infos(agent)['192.0.2.77'] !== undefined, 'the session with nobody');
  t.ok(isUp(agent, '192.0.2.2'), 'the other goes on');
  t.ok(hasRoutes());
  t.match(reasons(agent).join('\n'), /bgp-session-down 192\.0\.2\.77 start/);
  t.match(
    reasons(agent).join('\n'),
    'bgp-peer-selects-nothing nobody no node matches has(nothing)',
  );

  put(store, v3('Node', 'node2', '{bgp: {ipv4Address: 192.0.2.2/24, asNumber: 64513}}'));
  await until(() => /Bad peer AS/.test(infos(agent)['192.0.2.2'] ?? ''), 'a wrong AS', 20_000);
  t.match(reasons(agent).join('\n'), /bgp-session-down 192\.0\.2\.2 .*Bad peer AS/);
  put(store, v3('Node', 'node2', '{bgp: {ipv4Address: 192.0.2.2/24}}'));
  await until(() => isUp(agent, '192.0.2.2'), 'the session again', 20_000);
}

async function passwords(t: Test, { store, running: { agent }, folder }: Scene): Promise<void> {
  const file = join(folder, 'passwords.yaml');
  const password = 'password: {secretKeyRef: {name: tor, key: session}}';
  put(store, v3('BGPPeer', 'secret', `{peerIP: 192.0.2.3, asNumber: 64512, ${password}}`));
  await until(
    () => reasons(agent).some((one) => one.startsWith('bgp-password-missing secret')),
    'a note',
  );
  t.equal(infos(agent)['192.0.2.3'], undefined, 'no session without the password');

  writeFileSync(file, 'tor: {session: s3cr3t}\n', { mode: 0o644 });
  await until(
    () => reasons(agent).some((one) => one.includes('readable by root alone')),
    'a refusal',
  );
  run('chmod', '600', file);
  await until(() => isUp(agent, '192.0.2.3'), 'the session with its password', 20_000);
  writeFileSync(file, 'tor: {session: other}\n');
  await until(() => infos(agent)['192.0.2.3'] !== 'Established', 'a wrong password', 20_000);
  t.ok(isUp(agent, '192.0.2.2'), 'the other goes on');
  t.notMatch(JSON.stringify(agent.status()), /s3cr3t|"other"/, 'no password is told');
  store.delete(resourceKey('bgppeers', 'secret'));
}

async function includes(t: Test, { running: { agent }, folder }: Scene): Promise<void> {
  const good = 'protocol static extra { ipv4; route 203.0.113.0/24 blackhole; }\n';
  writeFileSync(join(folder, 'bird.d/10-good.conf'), good);
  await until(
    () => routes().includes('blackhole 203.0.113.0/24 metric 32'),
    'the route of the file',
  );
  writeFileSync(join(folder, 'bird.d/20-bad.conf'), 'protocol nonsense { }\n');
  await until(
    () =>
      reasons(agent).some((one) => /^bgp-include-refused .*20-bad.conf .*syntax error/.test(one)),
    'the wrong file to be named',
  );
  t.ok(isUp(agent, '192.0.2.2'), 'all else goes on');
  t.ok(routes().includes('blackhole 203.0.113.0/24 metric 32'), 'the right file too');
  for (const name of ['10-good', '20-bad']) rmSync(join(folder, `bird.d/${name}.conf`));
  await until(() => !routes().includes('blackhole 203.0.113.0/24 metric 32'), 'it to be gone');
  t.notMatch(reasons(agent).join('\n'), 'bgp-include-refused');
}

async function hangs(t: Test, { running: { agent }, folder }: Scene): Promise<void> {
  const pid = birdPid(join(folder, 'run')) ?? 0;
  sendSignal(pid, 'SIGSTOP');
  const told = (): boolean => /does not answer; if it hangs/.test(agent.status().bgp.reason ?? '');
  await until(told, 'it to be noticed', 20_000);
  t.equal(agent.status().bgp.state, 'failed');
  t.match(agent.status().parts, { compare: { state: /idle|applying|dirty/ } }, 'other parts go on');
  sendSignal(pid, 'SIGCONT');
  await until(() => agent.status().bgp.state === 'running', 'it to be well again', 20_000);
  t.equal(birdPid(join(folder, 'run')), pid);
}

async function deadPeer(t: Test, scene: Scene): Promise<void> {
  const { running, folder } = scene;
  // 192.0.2.77 never answers; BIRD waits for it, but not long.
  const before = birdPid(join(folder, 'run')) ?? 0;
  sendSignal(before, 'SIGKILL');
  const kept = new Set<boolean>();
  await until(
    () => {
      kept.add(hasRoutes());
      return birdPid(join(folder, 'run')) !== before && isUp(running.agent, '192.0.2.2');
    },
    'another BIRD',
    30_000,
  );
  t.same([...kept], [true], 'the routes were there all the time');

  // A life without us: what ends then is started by the next daemon.
  await running.stop();
  t.ok(hasRoutes(), 'nothing changes when the agent stops');
  await killBird(folder);
  scene.running = await startBgpAgent(scene.t, scene.store, folder);
  await until(() => isUp(scene.running.agent, '192.0.2.2'), 'the session', 30_000);
  t.ok(hasRoutes());
}

async function foreign(t: Test, scene: Scene): Promise<void> {
  const { folder } = scene;
  await scene.running.stop();
  const own = join(folder, 'run');
  await killBird(folder);
  const other = join(folder, 'other.conf');
  writeFileSync(other, 'router id 1.2.3.4;\nprotocol device { }\n');
  run('bird', '-c', other, '-s', join(own, 'bird.ctl'), '-P', join(folder, 'other.pid'));
  const pid = Number(readFileSync(join(folder, 'other.pid'), 'utf8'));
  scene.running = await startBgpAgent(scene.t, scene.store, folder);
  const { agent } = scene.running;
  await until(() => agent.status().bgp.state === 'failed', 'it to be noticed');
  t.match(agent.status().bgp.reason, /another BIRD than ours answers at .*bird\.ctl/);
  sendSignal(pid, 'SIGKILL');
  await until(() => isUp(agent, '192.0.2.2'), 'ours to take over', 30_000);
}

async function portTaken(t: Test, scene: Scene): Promise<void> {
  const { folder } = scene;
  await scene.running.stop();
  await killBird(folder);
  // It takes no connection of the peer's, which would wait for an answer.
  const program = createServer((socket) => socket.destroy());
  // BIRD lets go of the port when it is dead, a moment after the signal.
  await until(
    () =>
      new Promise<boolean>((resolve) => {
        program.once('error', () => resolve(false));
        program.listen(179, '0.0.0.0', () => resolve(true));
      }),
    'the port',
  );
  scene.running = await startBgpAgent(scene.t, scene.store, folder);
  const { agent } = scene.running;
  const told = (): boolean =>
    reasons(agent).some(
      (one) => one.includes('No listening socket') && one.includes('bird.service'),
    );
  await until(told, 'it to be told', 20_000);
  program.close();
  await until(() => isUp(agent, '192.0.2.2'), 'the session', 30_000);
  await until(hasRoutes, 'the routes');
  await until(() => !told(), 'nothing to be told any more');
}

async function withoutProgram(t: Test, scene: Scene): Promise<void> {
  const { folder } = scene;
  await scene.running.stop();
  await killBird(folder);
  const program = findProgram('bird') ?? '';
  run('mount', '--bind', '/dev/null', program);
  scene.running = await startBgpAgent(scene.t, scene.store, folder);
  const { agent } = scene.running;
  await until(() => agent.status().bgp.state === 'off', 'it to be missed');
  t.match(agent.status().bgp.reason, /no program bird on this host: install/);
  t.match(reasons(agent).join('\n'), /bgp-not-running node1 there is no program/);
  t.equal(agent.status().state, 'in-sync', 'everything else is as it should be');
  t.ok(hasRoutes(), 'the routes of the last BIRD stay');
  run('umount', program);
  const old = join(folder, 'bird-1.6');
  writeFileSync(old, '#!/bin/sh\necho BIRD version 1.6.8\n', { mode: 0o755 });
  run('mount', '--bind', old, program);
  const tooOld = (): boolean => /BIRD 1\.6\.8; 2\.0\.7 or later/.test(reasons(agent).join('\n'));
  await until(tooOld, 'it to be found too old', 30_000);
  t.ok(hasRoutes(), 'the routes stay still');
  run('umount', program);
  await until(() => isUp(agent, '192.0.2.2'), 'it to be found', 30_000);
}

async function silence(t: Test, { store, folder, running: { agent } }: Scene): Promise<void> {
  store.delete(resourceKey('nodes', 'node2'));
  for (const name of ['gone', 'nobody']) store.delete(resourceKey('bgppeers', name));
  await until(() => agent.status().bgp.state === 'off', 'BIRD to be stopped', 30_000);
  t.match(agent.status().bgp.reason, /no other node and no BGPPeer/);
  t.same(routes(), [''], 'its routes went with it');
  await until(() => birdPid(join(folder, 'run')) === undefined, 'its end');
}
