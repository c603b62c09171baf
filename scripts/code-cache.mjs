// V8's compiled form of the bundles: each program is run once, for what it needs at every start.
import { spawn } from 'node:child_process';
import { chmod, mkdtemp, readdir, rename, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

/** Nobody listens there: the programs load what they speak to etcd with, and no more happens. */
const NO_ETCD = 'http://127.0.0.1:1';
const BOUND_MS = 30_000;

/** How each program is started, as its launcher in bin/ does it, and when it is told to end. */
const runs = {
  'calico-libnetwork': {
    flags: ['--max-semi-space-size=4'],
    arguments: (folder) => [
      ...['--state-dir', join(folder, 'state'), '--run-dir', join(folder, 'run')],
      ...['--plugin-dir', join(folder, 'plugins'), '--docker-socket', join(folder, 'docker.sock')],
      ...['--nodename', 'build'],
    ],
    endAfter: 'not ready',
  },
  calicoctl: {
    flags: [],
    arguments: () => ['get', 'ippools', '-o', 'yaml'],
    endAfter: undefined,
  },
};

/** Writes `<name>.<build>.cache` into the folder of the bundles; rejects when the program does not come that far. */
export async function writeCodeCache(directory, name, build) {
  const folder = await mkdtemp(join(tmpdir(), 'calico-build-'));
  const made = join(directory, `${name}.${build}.cache.${process.pid}`);
  try {
    await runOnce(directory, name, made, folder);
    // The daemon's own files are for root alone; this one is not.
    await chmod(made, 0o644);
    await rename(made, join(directory, `${name}.${build}.cache`));
    for (const file of await readdir(directory)) {
      const other = file.startsWith(`${name}.`) && file.endsWith('.cache') && !file.includes(build);
      if (other) await rm(join(directory, file), { force: true });
    }
  } finally {
    await rm(made, { force: true });
    await rm(folder, { recursive: true, force: true });
  }
}

function runOnce(directory, name, file, folder) {
  const { flags, endAfter, arguments: argumentsOf } = runs[name];
  const script = join(import.meta.dirname, 'write-code-cache.cjs');
  const child = spawn(
    process.execPath,
    [...flags, script, directory, name, file, ...argumentsOf(folder)],
    {
      stdio: ['ignore', 'ignore', 'pipe'],
      env: { PATH: process.env.PATH, DATASTORE_TYPE: 'etcdv3', ETCD_ENDPOINTS: NO_ETCD },
      timeout: BOUND_MS,
      killSignal: 'SIGKILL',
    },
  );
  let said = '';
  child.stderr.on('data', (chunk) => {
    said += chunk;
    if (endAfter !== undefined && said.includes(endAfter)) child.kill('SIGTERM');
  });
  return new Promise((resolve, reject) => {
    child.on('error', reject);
    child.on('close', (status, signal) => {
      // A command that finds no etcd fails, as it should.
      if (signal === null && (endAfter === undefined || status === 0)) resolve();
      else reject(new Error(`${name} ended with ${signal ?? status}: ${said.slice(-500)}`));
    });
  });
}
