import { spawn, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { createInterface } from 'node:readline';
import type { Teardown } from '../../test/fixtures/calico-host.js';
import type { LabHost } from '../../test/fixtures/lab-host.js';

/** What a lab of the tests wants of its test, without one: `undo` ends all of it, last begun first. */
export interface Undoing extends Teardown {
  undo(): Promise<void>;
}

export function undoing(): Undoing {
  const steps: (() => unknown)[] = [];
  return {
    teardown: (step) => steps.push(step),
    passing: () => true,
    comment: () => undefined,
    undo: async () => {
      for (const step of steps.splice(0).reverse()) await step();
    },
  };
}

/** A program in a host's network namespace whose lines are read as they come. */
export interface Lines {
  /** Settles with the moment (monotonic milliseconds) at which a line is there that fulfils this. */
  seen(fits: (line: string) => boolean, boundMs?: number): Promise<number>;
  write(line: string): void;
  end(): Promise<void>;
}

export function linesOf(
  t: Teardown,
  host: LabHost,
  program: string,
  args: readonly string[],
  namespace?: string,
): Lines {
  const inner = namespace === undefined ? [] : ['ip', 'netns', 'exec', namespace];
  // Named network namespaces are files of the host.
  const into = ['--target', String(host.pid), '--net', '--mount', '--', ...inner];
  const child = spawn('setpriv', ['--pdeathsig', 'KILL', 'nsenter', ...into, program, ...args], {
    stdio: ['pipe', 'pipe', 'ignore'],
  });
  const waiting = new Set<{ fits: (line: string) => boolean; found: (at: number) => void }>();
  createInterface(child.stdout).on('line', (line) => {
    const at = performance.now();
    for (const one of waiting) {
      if (!one.fits(line)) continue;
      waiting.delete(one);
      one.found(at);
    }
  });
  t.teardown(() => endChild(child));
  return {
    seen: (fits, boundMs = 20_000) =>
      new Promise((resolve, reject) => {
        const one = {
          fits,
          found: (at: number): void => {
            clearTimeout(timer);
            resolve(at);
          },
        };
        const timer = setTimeout(() => {
          waiting.delete(one);
          reject(new Error(`${program}: a line did not come within ${boundMs} ms`));
        }, boundMs);
        waiting.add(one);
      }),
    write: (line) => void child.stdin.write(`${line}\n`),
    end: () => endChild(child),
  };
}

async function endChild(child: ChildProcess): Promise<void> {
  if (child.exitCode !== null || child.signalCode !== null) return;
  const exited = once(child, 'exit');
  child.kill('SIGKILL');
  await exited;
}
