import { randomUUID } from 'node:crypto';
import { closeSync, openSync, unlinkSync, writeFile } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { exec } from '../base/exec.js';
import { Fault, messageOf } from '../base/fault.js';

const write = promisify(writeFile);
const BOUND_MS = 10_000;
const MOST_OUTPUT = 64 * 1024 * 1024;

/** See `Nft.rehearse`. A program of its own, since only a process can go into another namespace whole. */
export async function rehearse(commands: string): Promise<string> {
  const file = openNameless();
  try {
    await write(file, `${commands}\n`).catch((error: unknown) => {
      throw refused(messageOf(error));
    });
    // For JSON, nft opens its input by name, which it cannot where that is a socket, as Node's pipes are.
    const input = `/proc/${process.pid}/fd/${file}`;
    const nft = ['nft', '--json', '--echo', '--stateless', '--file', input];
    const { status, stdout, stderr } = await exec('unshare', ['--net', '--', ...nft], {
      timeoutMs: BOUND_MS,
      maxOutput: MOST_OUTPUT,
    });
    if (status === 0) return stdout;
    throw refused(stderr.split('\n').find((line) => line !== '') ?? `nft ended with ${status}`);
  } finally {
    closeSync(file);
  }
}

/** Gone from its folder before anything is in it: a process that is killed leaves nothing. */
function openNameless(): number {
  const name = join(tmpdir(), `calico-nft-${randomUUID()}`);
  try {
    const file = openSync(name, 'wx+', 0o600);
    unlinkSync(name);
    return file;
  } catch (error) {
    throw refused(messageOf(error));
  }
}

function refused(why: string): Fault {
  return new Fault('unavailable', `rules cannot be tried in a namespace of their own: ${why}`, {
    reason: 'no-rehearsal',
  });
}
