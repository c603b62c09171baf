import { spawn, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';
import type { Measure, Measured } from './policy-host.js';
import { bootstrap, median, type Interval } from './statistics.js';

/** One measure on two hosts by turns, with its 90 % intervals. */
export interface PolicyTimes {
  readonly endpoints: readonly number[];
  /** Medians by number of endpoints, in the order of `endpoints`. */
  readonly ms: readonly Interval[];
  readonly cpuMs: readonly Interval[];
}

export interface RoundTrips {
  readonly ms: Readonly<Record<string, Interval>>;
  /** Of the round trip at one endpoint, pair by pair. */
  readonly many: Interval;
  readonly linear: Interval;
}

export interface PolicyMeasures {
  readonly rounds: number;
  readonly edits: Readonly<Record<string, PolicyTimes>>;
  readonly start: PolicyTimes;
  readonly roundTrips: RoundTrips;
}

const FEW = 100;
const SOME = 1_000;
const MANY = 5_000;
const EDITS: readonly Measure[] = ['rule', 'selector', 'cover', 'label'];

/** An agent in namespaces of its own, which dies with this process. */
class BenchChild {
  readonly #process: ChildProcess;
  readonly #lines: AsyncIterator<string>;

  private constructor(process: ChildProcess, lines: AsyncIterator<string>) {
    this.#process = process;
    this.#lines = lines;
  }

  static async start(endpoints: number): Promise<BenchChild> {
    const program = fileURLToPath(new URL('policy-child.ts', import.meta.url));
    const node = [process.execPath, ...process.execArgv, program, String(endpoints)];
    const inside = ['unshare', '--net', '--mount', '--propagation', 'private', '--'];
    const up = ['sh', '-c', 'ip link set lo up && exec "$@"', 'sh', ...node];
    const child = spawn('setpriv', ['--pdeathsig', 'KILL', '--', ...inside, ...up], {
      stdio: ['pipe', 'pipe', 'inherit'],
    });
    const lines = createInterface(child.stdout)[Symbol.asyncIterator]();
    const made = new BenchChild(child, lines);
    await made.#next();
    return made;
  }

  async measure(what: Measure): Promise<Measured> {
    this.#process.stdin?.write(`${what}\n`);
    return ((await this.#next()) as { readonly value: Measured }).value;
  }

  async stop(): Promise<void> {
    const exited = once(this.#process, 'exit');
    this.#process.stdin?.end();
    await exited;
  }

  async #next(): Promise<unknown> {
    const { value, done } = await this.#lines.next();
    if (done === true) throw new Error('a host of the policy bench ended');
    return JSON.parse(value) as unknown;
  }
}

async function withChildren<T>(
  sizes: readonly number[],
  work: (children: readonly BenchChild[]) => Promise<T>,
): Promise<T> {
  const children: BenchChild[] = [];
  try {
    for (const size of sizes) children.push(await BenchChild.start(size));
    return await work(children);
  } finally {
    await Promise.all(children.map((child) => child.stop()));
  }
}

/** By turns, so that a busy moment hits all alike; compiled code settles in the rounds before. */
async function byTurns(
  children: readonly BenchChild[],
  what: Measure,
  rounds: number,
): Promise<readonly (readonly Measured[])[]> {
  const found: Measured[][] = [];
  const warmUp = Math.min(6, rounds);
  for (let round = -warmUp; round < rounds; round += 1) {
    const row: Measured[] = [];
    for (const child of children) row.push(await child.measure(what));
    if (round >= 0) found.push(row);
  }
  return found;
}

function timesOf(
  endpoints: readonly number[],
  rows: readonly (readonly Measured[])[],
): PolicyTimes {
  const intervals = (pick: (one: Measured) => number): Interval[] =>
    endpoints.map((_, at) =>
      bootstrap(
        rows.flatMap((row) => (row[at] === undefined ? [] : [pick(row[at])])),
        median,
      ),
    );
  return { endpoints, ms: intervals((one) => one.ms), cpuMs: intervals((one) => one.cpuMs) };
}

/** Edits, container starts and round trips, with the agent's own code on the real kernel. */
export async function measurePolicy(
  rounds: number,
  progress: (line: string) => void,
): Promise<PolicyMeasures> {
  const edits: Record<string, PolicyTimes> = {};
  await withChildren([FEW, MANY], async (children) => {
    for (const what of EDITS) {
      edits[what] = timesOf([FEW, MANY], await byTurns(children, what, rounds));
      progress(`policy: ${what} measured`);
    }
  });
  const start = await withChildren([FEW, SOME], async (children) =>
    timesOf([FEW, SOME], await byTurns(children, 'start', rounds)),
  );
  progress('policy: container starts measured');
  const roundTrips = await withChildren([2, MANY], async ([one, many]) => {
    if (one === undefined || many === undefined) throw new Error('two hosts were started');
    const rows: (readonly [number, number, number])[] = [];
    for (let round = 0; round < rounds; round += 1) {
      const times = [await one.measure('ping'), await many.measure('ping')] as const;
      rows.push([times[0].ms, times[1].ms, (await one.measure('ping-linear')).ms]);
    }
    return roundTripsOf(rows);
  });
  progress('policy: round trips measured');
  return { rounds, edits, start, roundTrips };
}

function roundTripsOf(rows: readonly (readonly [number, number, number])[]): RoundTrips {
  const column = (at: 0 | 1 | 2): Interval =>
    bootstrap(
      rows.map((row) => row[at]),
      median,
    );
  const ratio = (at: 1 | 2): Interval =>
    bootstrap(
      rows.map((row) => row[at] / row[0]),
      median,
    );
  return {
    ms: {
      'two endpoints': column(0),
      [`${MANY} endpoints`]: column(1),
      [`${MANY} linear rules`]: column(2),
    },
    ...{ many: ratio(1), linear: ratio(2) },
  };
}
