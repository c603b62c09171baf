// npm run quickstart [-- --once] [-- --own-engine]
//
//   --once        end after the demonstration; the status tells whether all was as it should be
//   --own-engine  start a Docker of its own even where one runs
import { dirname } from 'node:path';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';
import type { RunResult } from '../../test/fixtures/lab-host.js';
import { machineEngineUsable, startMachineEngine } from './machine-engine.js';
import { startOwnEngine } from './own-engine.js';
import type { Stage } from './stage.js';

const root = dirname(dirname(dirname(fileURLToPath(import.meta.url))));
const { values } = parseArgs({
  options: {
    once: { type: 'boolean', default: false },
    'own-engine': { type: 'boolean', default: false },
  },
});

const print = (text = ''): void => {
  process.stdout.write(`${text}\n`);
};
let failures = 0;
const interrupted = new AbortController();

/** Runs one step: its title while it runs, how long it took afterwards. */
async function step<T>(title: string, work: () => Promise<T>): Promise<T> {
  const begin = performance.now();
  if (process.stdout.isTTY) process.stdout.write(`  ..  ${title}`);
  const took = (): string => `${((performance.now() - begin) / 1000).toFixed(1)} s`;
  const line = (mark: string): string =>
    `${process.stdout.isTTY ? '\r' : ''}  ${mark}  ${title} (${took()})`;
  try {
    const value = await work();
    print(line('ok'));
    return value;
  } catch (error) {
    print(line('--'));
    throw error;
  }
}

/** Shows a command and what it printed; counts it as failed unless it ended as expected. */
async function show(
  shown: string,
  run: () => Promise<RunResult>,
  expected: 'works' | 'fails',
): Promise<void> {
  const result = await run();
  print(`\n  $ ${shown}`);
  const lines = `${result.stdout}${result.stderr}`.trimEnd().split('\n').slice(0, 20);
  for (const line of lines) print(`  ${line}`);
  const fits = (result.status === 0) === (expected === 'works');
  if (fits) return;
  failures += 1;
  print(
    `  ^ this should have ${expected === 'works' ? 'worked' : 'failed'} (status ${result.status})`,
  );
}

async function must(what: string, result: Promise<RunResult>): Promise<string> {
  const { status, stdout, stderr } = await result;
  if (status === 0) return stdout.trim();
  throw new Error(`${what}: ${(stderr || stdout).trim()}`);
}

const NETWORKS = ['front', 'back'];
const CONTAINERS: readonly (readonly [name: string, network: string])[] = [
  ['web', 'front'],
  ['client', 'front'],
  ['vault', 'back'],
];

async function demonstrate(stage: Stage): Promise<void> {
  const ping = (from: string, to: string, ...options: readonly string[]): Promise<RunResult> =>
    stage.docker('exec', from, 'ping', '-c', '2', '-W', '1', ...options, to);
  const next: typeof step = async (title, work) => {
    if (interrupted.signal.aborted) throw new Error('interrupted');
    return step(title, work);
  };
  for (const network of NETWORKS) {
    await next(`docker network create --driver calico --ipam-driver calico-ipam ${network}`, () =>
      must(
        network,
        stage.docker(
          'network',
          'create',
          '--driver',
          'calico',
          '--ipam-driver',
          'calico-ipam',
          network,
        ),
      ),
    );
  }
  for (const [name, network] of CONTAINERS) {
    await next(`docker run -d --net ${network} --name ${name}`, () =>
      must(
        name,
        stage.docker('run', '-d', '--net', network, '--name', name, stage.image, 'sleep', '100000'),
      ),
    );
  }
  const format = '{{range .NetworkSettings.Networks}}{{.IPAddress}}{{end}}';
  const vault = await must('vault', stage.docker('inspect', '-f', format, 'vault'));
  print('\nThe same network talks, by name:');
  await show('docker exec client ping web', () => ping('client', 'web'), 'works');
  await show('docker exec web ping client.front', () => ping('web', 'client.front'), 'works');
  print('\nAnother network does not, although it is on the same host and has a route:');
  await show(
    `docker exec client ping ${vault}        # vault's address`,
    () => ping('client', vault),
    'fails',
  );
  print('\nWho is where:');
  await show(
    'calicoctl get workloadendpoints -A',
    () => stage.calicoctl('get', 'workloadendpoints', '-A'),
    'works',
  );
  await show('calicoctl ipam show', () => stage.calicoctl('ipam', 'show'), 'works');
}

function explainWhatNext(stage: Stage): void {
  const settings = Object.entries(stage.env).map(([name, value]) => `${name}=${value}`);
  print('\nIt goes on running. In another terminal, as root:');
  if (stage.prefix !== '')
    print(`  in='${stage.prefix.trim()}'      # puts a command into that host`);
  const prefix = stage.prefix === '' ? '' : '$in ';
  print(`  ${prefix}docker exec -ti client sh`);
  print(`  ${prefix}docker run --rm --net back ${stage.image} ping -c 2 vault`);
  print(`  ${prefix}env ${settings.join(' ')} ${root}/bin/calicoctl get ippools -o wide`);
  print(
    'Next: several hosts and etcd, policies, BGP: README.md. Ctrl-C ends everything and removes it.',
  );
}

async function main(): Promise<number> {
  for (const name of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const)
    process.on(name, () => interrupted.abort());
  print('calico-libnetwork: two networks, three containers, no configuration\n');
  const machine = !values['own-engine'] && (await machineEngineUsable());
  const stage = await step('A Docker host with the calico drivers', () =>
    machine ? startMachineEngine(root) : startOwnEngine(),
  );
  print(`      ${stage.description}`);
  try {
    await demonstrate(stage);
    if (failures === 0) print('\nAll as it should be.');
    if (!values.once && !interrupted.signal.aborted) {
      explainWhatNext(stage);
      await new Promise<void>((resolve) => {
        const timer = setInterval(() => undefined, 60_000);
        interrupted.signal.addEventListener('abort', () => {
          clearInterval(timer);
          resolve();
        });
      });
    }
  } catch (error) {
    if (!interrupted.signal.aborted) {
      failures += 1;
      print(`\nThat failed: ${error instanceof Error ? error.message : String(error)}`);
      print(
        `The daemon said last:\n${stage.daemonLog().trimEnd().split('\n').slice(-8).join('\n')}`,
      );
    }
  } finally {
    print('');
    const left = await step('Everything removed again', () => stage.stop().then((rest) => rest));
    if (left.length > 0) {
      failures += 1;
      print(`Left behind:\n  ${left.join('\n  ')}`);
    }
  }
  return failures === 0 ? 0 : 1;
}

// Inside a test of this, what the test itself made is none of our leftovers.
delete process.env['CALICO_TEST_RUN'];
process.exitCode = await main();
