import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, readdirSync } from 'node:fs';
import t, { type Test } from 'tap';
import { engineObstacle, startEngine } from '../fixtures/docker-engine.js';
import { findProgram, labObstacle } from '../fixtures/lab-host.js';
import { waitFor } from '../fixtures/lab-process.js';

const skip = labObstacle() ?? (findProgram('dockerd') === undefined ? 'needs dockerd' : false);

/** What every run must have shown. */
function checkStory(t: Test, output: string): void {
  t.match(
    output,
    /\$ docker exec client ping web\n[^$]*2 packets received/,
    'same network, by name',
  );
  t.match(
    output,
    /\$ docker exec client ping [\d.]+ +# vault's address\n[^$]*0 packets received/,
    'not the other',
  );
  t.match(output, /\$ calicoctl get workloadendpoints -A\n.*NAMESPACE/, 'the endpoints');
  t.match(output, /\$ calicoctl ipam show\n.*GROUPING/s, 'the addresses');
  t.match(output, /All as it should be\./);
}

t.test('the quick start shows its story and removes everything', { skip }, async (t) => {
  const program = spawn('npm', ['run', '-s', 'quickstart', '--', '--once', '--own-engine'], {
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  let output = '';
  for (const stream of [program.stdout, program.stderr]) {
    stream.on('data', (chunk: Buffer) => {
      output += chunk.toString();
    });
  }
  const [status] = (await once(program, 'close')) as [number];
  t.equal(status, 0, 'status');
  if (status !== 0) t.comment(output);
  checkStory(t, output);
});

t.test('Ctrl-C ends it and nothing stays', { skip }, async (t) => {
  const program = spawn('node', ['--import', 'tsx', 'scripts/quickstart/main.ts', '--own-engine'], {
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  let output = '';
  program.stdout.on('data', (chunk: Buffer) => {
    output += chunk.toString();
  });
  await waitFor('the quick start to run', () => output.includes('Ctrl-C ends everything'), 60_000);
  const target = /nsenter -t (\d+)/.exec(output)?.[1];
  t.ok(existsSync(`/proc/${target}`), 'it is running');
  program.kill('SIGINT');
  const [status] = (await once(program, 'close')) as [number];
  t.equal(status, 0, 'status');
  if (status !== 0) t.comment(output);
  t.notOk(existsSync(`/proc/${target}`), 'its host is gone');
});

t.test(
  "beside the machine's own dockerd it cleans up after itself",
  { skip: engineObstacle('20.10') ?? false },
  async (t) => {
    const engine = await startEngine({ name: 'machine' });
    t.teardown(() => engine.stop());
    const script = 'cd "$1" && node --import tsx scripts/quickstart/main.ts --once';
    const result = await engine.run('sh', ['-c', script, 'sh', process.cwd()], {
      timeoutMs: 120_000,
    });
    t.equal(result.status, 0, 'status');
    if (result.status !== 0) t.comment(result.stdout + result.stderr);
    checkStory(t, result.stdout);
    t.match(result.stdout, /this machine's own/);
    t.same(readdirSync(engine.host.path('/run/docker/plugins')), [], 'no sockets');
    t.notMatch((await engine.run('nft', ['list', 'tables'])).stdout, /calico/, 'no rules');
    t.notMatch(await engine.docker('network', 'ls'), /calico/, 'no networks');
    t.notMatch((await engine.run('ip', ['route'])).stdout, /proto 80|cali/, 'no routes');
    t.equal(await engine.docker('ps', '-aq'), '', 'no containers');
  },
);
