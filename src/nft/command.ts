import { exec } from '../base/exec.js';
import { Fault } from '../base/fault.js';
import type { Engine, Mode, Outcome } from './engine.js';

const PROGRAM = 'nft';
const BOUND_MS = 60_000;
/** A listed rule set of 5,000 endpoints is some tens of megabytes. */
const MOST_OUTPUT = 256 * 1024 * 1024;
/** After its end a notification of what the command did may still be unread. */
const REMEMBER_MS = 5_000;

/** nft as a program of its own for each text. Throws `unavailable` when it cannot be started. */
export async function openCommand(): Promise<Engine> {
  const { status, stderr } = await exec(PROGRAM, ['--version']);
  if (status !== 0) {
    throw new Fault('unavailable', `${PROGRAM} --version ended with ${status}: ${stderr.trim()}`, {
      reason: 'no-command',
    });
  }
  return new CommandEngine();
}

class CommandEngine implements Engine {
  readonly implementation = 'command';
  /** A program's first netlink socket gets its process id as port. */
  readonly #recent = new Set<number>();

  async run(commands: string, mode: Mode): Promise<Outcome> {
    const onList = mode === 'list';
    const args = onList ? ['-j', commands] : mode === 'check' ? ['-c', '-f', '-'] : ['-f', '-'];
    let pid = 0;
    try {
      const { status, stdout, stderr } = await exec(PROGRAM, args, {
        timeoutMs: BOUND_MS,
        maxOutput: MOST_OUTPUT,
        onStart: (started) => {
          pid = started;
          this.#recent.add(started);
        },
        // A comment at the very end needs its newline.
        ...(onList ? {} : { stdin: `${commands}\n` }),
      });
      return { ok: status === 0, output: stdout, error: stderr };
    } finally {
      setTimeout(() => this.#recent.delete(pid), REMEMBER_MS).unref();
    }
  }

  owns(port: number): boolean {
    return this.#recent.has(port);
  }

  async close(): Promise<void> {
    this.#recent.clear();
  }
}
