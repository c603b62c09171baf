import { execFile, spawn } from 'node:child_process';
import { once } from 'node:events';
import {
  copyFileSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  openSync,
  readFileSync,
  rmSync,
  symlinkSync,
} from 'node:fs';
import { join } from 'node:path';
import { createEngineClient } from '../../test/fixtures/engine-client.js';
import type { RunResult } from '../../test/fixtures/lab-host.js';
import { waitFor } from '../../test/fixtures/lab-process.js';
import { leftovers, takePicture } from '../test/leftovers.js';
import type { Stage } from './stage.js';

const IMAGE = 'calico-quickstart:latest';
const SOCKETS = ['/run/docker/plugins/calico.sock', '/run/docker/plugins/calico-ipam.sock'];
const ROUTE_PROTOCOL = '80';
const TABLE = 'calico-libnetwork';

function run(
  program: string,
  args: readonly string[],
  env: Readonly<Record<string, string>> = {},
): Promise<RunResult> {
  return new Promise((resolve) => {
    execFile(
      program,
      [...args],
      { env: { ...process.env, ...env }, timeout: 120_000, maxBuffer: 1 << 26 },
      (error, stdout, stderr) => {
        resolve({ status: error === null ? 0 : Number(error.code ?? -1) || -1, stdout, stderr });
      },
    );
  });
}

/** Whether this machine's dockerd answers and no calico plugin serves it yet. */
export async function machineEngineUsable(): Promise<boolean> {
  if (SOCKETS.some((path) => existsSync(path))) return false;
  if (!existsSync('/var/run/docker.sock')) return false;
  return (await run('docker', ['version'])).status === 0;
}

async function importImage(dir: string): Promise<void> {
  const root = join(dir, 'image', 'bin');
  mkdirSync(root, { recursive: true });
  copyFileSync('/bin/busybox', join(root, 'busybox'));
  for (const applet of ['sh', 'ping', 'sleep', 'ip', 'ls', 'cat'])
    symlinkSync('busybox', join(root, applet));
  const script = 'tar -C "$1" -c . | docker import --change "CMD [\\"sh\\"]" - "$2"';
  const result = await run('sh', ['-c', script, 'sh', join(dir, 'image'), IMAGE]);
  if (result.status !== 0) throw new Error(`docker import: ${result.stderr.trim()}`);
}

async function startDaemon(
  root: string,
  dir: string,
  env: Readonly<Record<string, string>>,
): Promise<() => Promise<void>> {
  const log = openSync(join(dir, 'daemon.log'), 'a');
  const daemon = spawn(join(root, 'bin/calico-libnetwork'), [], {
    env: { ...process.env, ...env },
    stdio: ['ignore', log, log],
    detached: true,
  });
  const exited = once(daemon, 'exit');
  for (const socket of SOCKETS) {
    const client = createEngineClient(socket);
    await waitFor('the plugin sockets', async () => {
      if (daemon.exitCode !== null)
        throw new Error(
          `the daemon ended:\n${readFileSync(join(dir, 'daemon.log'), 'utf8').slice(-2000)}`,
        );
      return client.raw('Plugin.Activate').then(
        (answer) => answer.status === 200,
        () => false,
      );
    });
    client.close();
  }
  return async () => {
    daemon.kill('SIGTERM');
    const timer = setTimeout(() => daemon.kill('SIGKILL'), 15_000);
    await exited;
    clearTimeout(timer);
  };
}

/** What the daemon leaves in the kernel on purpose, because a restart must not interrupt containers. */
async function cleanKernel(): Promise<void> {
  for (const family of ['inet', 'arp']) await run('nft', ['delete', 'table', family, TABLE]);
  for (const family of ['-4', '-6'])
    await run('ip', [family, 'route', 'flush', 'proto', ROUTE_PROTOCOL]);
  for (const program of ['iptables', 'ip6tables']) {
    const { stdout } = await run(program, ['-w', '5', '-S']);
    for (const line of stdout
      .split('\n')
      .filter((rule) => rule.startsWith('-A ') && rule.includes(`--comment ${TABLE}`))) {
      await run(program, ['-w', '5', '-D', ...line.slice('-A '.length).split(' ')]);
    }
  }
}

/** This machine's own dockerd, with our daemon beside it. */
export async function startMachineEngine(root: string): Promise<Stage> {
  const before = await takePicture();
  const dir = mkdtempSync('/tmp/calico-quickstart-');
  const env = {
    CALICO_STATE_DIR: join(dir, 'state'),
    CALICO_LIBNETWORK_RUN_DIR: join(dir, 'run'),
    CALICO_LIBNETWORK_DATASTORE_TYPE: 'embedded',
  };
  let stopDaemon: () => Promise<void> = async () => undefined;
  const stop = async (): Promise<readonly string[]> => {
    const { stdout: containers } = await run('docker', [
      'ps',
      '-aq',
      '--filter',
      `ancestor=${IMAGE}`,
    ]);
    for (const id of containers.split('\n').filter(Boolean)) await run('docker', ['rm', '-f', id]);
    const { stdout: networks } = await run('docker', [
      'network',
      'ls',
      '-q',
      '--filter',
      'driver=calico',
    ]);
    for (const id of networks.split('\n').filter(Boolean))
      await run('docker', ['network', 'rm', id]);
    await run('docker', ['rmi', IMAGE]);
    await stopDaemon();
    await cleanKernel();
    for (const socket of SOCKETS) rmSync(socket, { force: true });
    rmSync(dir, { recursive: true, force: true });
    return leftovers(before);
  };
  try {
    await importImage(dir);
    stopDaemon = await startDaemon(root, dir, env);
    const version = (
      await run('docker', ['version', '--format', '{{.Server.Version}}'])
    ).stdout.trim();
    return {
      description: `Docker ${version}, this machine's own`,
      image: IMAGE,
      docker: (...args) => run('docker', args),
      calicoctl: (...args) => run(join(root, 'bin/calicoctl'), args, env),
      daemonLog: () => readFileSync(join(dir, 'daemon.log'), 'utf8'),
      prefix: '',
      env,
      stop,
    };
  } catch (error) {
    await stop();
    throw error;
  }
}
