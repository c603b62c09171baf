import { appendFileSync, readFileSync } from 'node:fs';

/** Told of every step that is reached; may end the process. */
export type Reach = (step: string) => void;

let reach: Reach | undefined;

/**
 * A step at which tests end the process, to see what the next life makes of what is there. In a daemon of a user nothing
 * is armed.
 */
export function failpoint(step: string): void {
  reach?.(step);
}

/** For the rest of the process; undefined disarms. */
export function armFailpoints(next: Reach | undefined): void {
  reach = next;
}

/**
 * The same port with a failpoint before and after each of the steps, so that whoever adds a step to a port adds its
 * failpoints with it. `detail` tells calls of one step apart.
 */
export function withFailpoints<T extends object>(
  port: string,
  inner: T,
  detail: (step: string, argument: unknown) => string = () => '',
): T {
  return new Proxy(inner, {
    get(target, name) {
      const value: unknown = Reflect.get(target, name, target);
      if (typeof value !== 'function' || typeof name !== 'string') return value;
      const call = value.bind(target) as (...args: unknown[]) => unknown;
      return (...args: unknown[]): unknown => {
        const step = `${port}.${name}${detail(name, args[0])}`;
        failpoint(`${step}:before`);
        const result = call(...args);
        if (!(result instanceof Promise)) return result;
        return result.then((settled: unknown) => {
          failpoint(`${step}:after`);
          return settled;
        });
      };
    },
  });
}

interface Orders {
  /** Steps that are reached are added here, one per line. */
  readonly trace?: string;
  /** The process ends at this step, as by a power cut. */
  readonly kill?: string;
}

/** Takes its orders out of a file, which is read again at every step; no file is no order. */
export function armFailpointsByFile(path: string): void {
  armFailpoints((step) => {
    const { trace, kill } = ordersIn(path);
    if (trace !== undefined) appendFileSync(trace, `${step}\n`);
    if (kill !== step) return;
    process.kill(process.pid, 'SIGKILL');
    // The signal comes at once, but nothing may happen until it does.
    for (;;);
  });
}

function ordersIn(path: string): Orders {
  try {
    return JSON.parse(readFileSync(path, 'utf8')) as Orders;
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return {};
    throw error;
  }
}
