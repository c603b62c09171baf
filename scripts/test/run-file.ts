import { spawn } from 'node:child_process';
import { createTallyStream, type FileTally } from './tally.js';

export interface FileResult {
  readonly tally: FileTally;
  readonly seconds: number;
  /** The end of what the test wrote to standard error. */
  readonly stderr: string;
}

const KEPT_STDERR = 16_384;
/** After the bound the test gets this long to say what was pending. */
const GRACE_MS = 5_000;

/** Runs one test file as a program of its own and counts its assertions. Output that is no TAP is dropped. */
export async function runFile(file: string, timeoutSeconds: number): Promise<FileResult> {
  const begin = performance.now();
  const stream = createTallyStream();
  let stderr = '';
  const child = spawn(process.execPath, ['--import', 'tsx', file], {
    stdio: ['ignore', 'pipe', 'pipe'],
    env: { ...process.env, TAP: '1', TAP_TIMEOUT: String(timeoutSeconds), FORCE_COLOR: '0' },
  });
  child.stdout.setEncoding('utf8');
  child.stdout.on('data', (text: string) => stream.write(text));
  child.stderr.setEncoding('utf8');
  child.stderr.on('data', (text: string) => {
    stderr = (stderr + text).slice(-KEPT_STDERR);
  });
  let overdue = false;
  const timers: NodeJS.Timeout[] = [
    setTimeout(() => {
      overdue = true;
      child.kill('SIGTERM');
      timers.push(setTimeout(() => child.kill('SIGKILL'), GRACE_MS));
    }, timeoutSeconds * 1000),
  ];
  const ended = await new Promise<{ code: number | null; signal: NodeJS.Signals | null }>(
    (resolve) => {
      // A grandchild may hold the pipes open after the test is gone: its exit counts, not the pipes' end.
      child.on('exit', (code, signal) => {
        const settle = (): void => resolve({ code, signal });
        child.once('close', settle);
        timers.push(setTimeout(settle, 1_000));
      });
      child.on('error', () => resolve({ code: 1, signal: null }));
    },
  );
  for (const timer of timers) clearTimeout(timer);
  child.stdout.destroy();
  child.stderr.destroy();
  const tally = await stream.finish();
  const fail = (text: string): void => {
    tally.failed += 1;
    tally.failures.push(text);
  };
  if (overdue) fail(`did not end within ${timeoutSeconds} s`);
  else if (ended.signal !== null) fail(`ended by ${ended.signal}`);
  else if (ended.code !== 0 && tally.failed === 0) fail(`exit status ${ended.code}`);
  else if (tally.passed + tally.failed + tally.skipped === 0) fail('contains no assertion');
  return { tally, seconds: (performance.now() - begin) / 1000, stderr };
}
