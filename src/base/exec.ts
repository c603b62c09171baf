import { spawn } from 'node:child_process';
import { deadline } from './abort.js';
import { Fault } from './fault.js';

export interface ExecOptions {
  readonly stdin?: string;
  /** Kill after this many milliseconds; 10 s unless told. */
  readonly timeoutMs?: number;
  readonly signal?: AbortSignal;
  readonly env?: NodeJS.ProcessEnv;
  /** Most bytes kept of each stream; 4 MiB unless told. */
  readonly maxOutput?: number;
  /** Told the process id as soon as the program was started. */
  readonly onStart?: (pid: number) => void;
}

export interface ExecResult {
  /** Exit status; -1 when the program was ended by a signal. */
  readonly status: number;
  readonly stdout: string;
  readonly stderr: string;
}

/**
 * Runs a program with an argument list (never a shell) and returns how it ended, whatever the status.
 * Throws `unavailable` when it cannot be started, `timeout` when it was killed at its bound.
 */
export async function exec(
  program: string,
  args: readonly string[],
  options: ExecOptions = {},
): Promise<ExecResult> {
  const bound = deadline(options.timeoutMs ?? 10_000);
  const signal = options.signal ? AbortSignal.any([bound, options.signal]) : bound;
  const limit = options.maxOutput ?? 4 * 1024 * 1024;
  return new Promise((resolve, reject) => {
    const child = spawn(program, args, {
      stdio: ['pipe', 'pipe', 'pipe'],
      signal,
      killSignal: 'SIGKILL',
      ...(options.env ? { env: options.env } : {}),
    });
    if (child.pid !== undefined) options.onStart?.(child.pid);
    const collect = { stdout: '', stderr: '' };
    for (const name of ['stdout', 'stderr'] as const) {
      child[name].setEncoding('utf8');
      child[name].on('data', (chunk: string) => {
        if (collect[name].length < limit) collect[name] += chunk;
      });
    }
    child.on('error', (error: NodeJS.ErrnoException) => {
      const timedOut = bound.aborted;
      reject(
        timedOut
          ? new Fault('timeout', `${program} did not finish within its bound`, { cause: error })
          : new Fault('unavailable', `cannot run ${program}: ${error.code ?? error.message}`, {
              cause: error,
            }),
      );
    });
    child.on('close', (code) => resolve({ status: code ?? -1, ...collect }));
    // A program may end without reading its input: EPIPE there is no failure of its own.
    child.stdin.on('error', () => undefined);
    child.stdin.end(options.stdin ?? '');
  });
}
