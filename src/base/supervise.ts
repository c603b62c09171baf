import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { Fault } from './fault.js';

/** A program that was started to outlive this process. */
export interface Detached {
  readonly pid: number;
  /** Settles with how it ended, if it ends while this process lives. */
  readonly ended: Promise<string>;
}

/**
 * Starts a program in a session of its own, with an argument list (never a shell) and without input or
 * output: it goes on when this process ends. Throws `unavailable` when it cannot be started.
 */
export async function startDetached(program: string, args: readonly string[]): Promise<Detached> {
  const child = spawn(program, args, { detached: true, stdio: 'ignore' });
  const ended = new Promise<string>((resolve) => {
    child.once('exit', (code, signal) => {
      resolve(signal === null ? `status ${code}` : `signal ${signal}`);
    });
  });
  try {
    await once(child, 'spawn');
  } catch (error) {
    const { code = '' } = error as NodeJS.ErrnoException;
    throw new Fault('unavailable', `cannot run ${program}: ${code}`, { cause: error });
  }
  child.unref();
  return { pid: child.pid ?? 0, ended };
}
