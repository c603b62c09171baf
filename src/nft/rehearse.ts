import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { exec } from '../base/exec.js';
import { Fault, messageOf } from '../base/fault.js';

const BOUND_MS = 10_000;
const MOST_OUTPUT = 64 * 1024 * 1024;

/** See `Nft.rehearse`. A program of its own, since only a process can go into another namespace whole. */
export async function rehearse(commands: string): Promise<string> {
  const directory = await mkdtemp(join(tmpdir(), 'calico-nft-')).catch((error: unknown) => {
    throw refused(messageOf(error));
  });
  try {
    // For JSON, nft opens its input by name, which it cannot where that is a socket, as Node's pipes are.
    const file = join(directory, 'rules');
    await writeFile(file, `${commands}\n`, { mode: 0o600 });
    const nft = ['nft', '--json', '--echo', '--stateless', '--file', file];
    const { status, stdout, stderr } = await exec('unshare', ['--net', '--', ...nft], {
      timeoutMs: BOUND_MS,
      maxOutput: MOST_OUTPUT,
    });
    if (status === 0) return stdout;
    throw refused(stderr.split('\n').find((line) => line !== '') ?? `nft ended with ${status}`);
  } finally {
    await rm(directory, { recursive: true, force: true });
  }
}

function refused(why: string): Fault {
  return new Fault('unavailable', `rules cannot be tried in a namespace of their own: ${why}`, {
    reason: 'no-rehearsal',
  });
}
