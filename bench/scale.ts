import type { Fabric } from '../test/fixtures/fabric.js';
import { runCalicoctl } from '../test/fixtures/plugin-daemon.js';
import { waitFor } from '../test/fixtures/lab-process.js';
import { startTarget, type LoadTarget } from './load-target.js';
import {
  runCycles,
  startContainer,
  stopContainer,
  type LoadNetwork,
  type RunningContainer,
} from './plugin-cycle.js';
import { bootstrap, median, type Interval } from './statistics.js';
import { watchKernel } from './kernel-writes.js';

/** Large enough for 4,000 endpoints in a few blocks, the same for both plugins. */
const BLOCK_SIZE = 24;
const BLOCK = 2 ** (32 - BLOCK_SIZE);
const FILL_IN_FLIGHT = 16;
/** Cycles of one target in one round: the targets take turns. */
const CYCLES = 8;

/** What a start and a stop cost with many containers running, beside an almost empty host. */
export interface ScaleLevel {
  readonly live: number;
  /** Endpoints of the almost empty host: none, or as many as stand in the block in use. */
  readonly control: number;
  /** Medians of the plugin calls in milliseconds, by target (`ours`, `control`, `peer`). */
  readonly startMs: Readonly<Record<string, number>>;
  readonly stopMs: Readonly<Record<string, number>>;
  /** Ours with many endpoints over the other, from rounds measured in turn. */
  readonly ratios: Readonly<Record<string, Interval>>;
}

export interface ScaleReport {
  readonly rounds: number;
  readonly levels: readonly ScaleLevel[];
  readonly rssMiB: Readonly<Record<string, number>>;
  /** The daemon killed and started again with all those endpoints. */
  readonly restart: {
    readonly live: number;
    readonly socketsMs: number;
    readonly inSyncMs: number;
    readonly kernelWrites: number;
  };
}

export interface ScalePlan {
  readonly peer: string | undefined;
  readonly members: number;
  readonly rounds: number;
  /** Numbers of live endpoints, rising. */
  readonly live: readonly number[];
  readonly warmUp: number;
  readonly progress: (line: string) => void;
}

/** Containers of one target that stay. */
class Crowd {
  readonly #running: RunningContainer[] = [];
  readonly #load: LoadNetwork;

  constructor(load: LoadNetwork) {
    this.#load = load;
  }

  async resize(size: number): Promise<void> {
    const load = this.#load;
    let missing = size - this.#running.length;
    const leaving = missing < 0 ? this.#running.splice(size) : [];
    const step = async (): Promise<void> => {
      while (missing > 0) {
        missing -= 1;
        this.#running.push(await startContainer(load));
      }
      for (let one = leaving.pop(); one !== undefined; one = leaving.pop())
        await stopContainer(load, one);
    };
    await Promise.all(Array.from({ length: FILL_IN_FLIGHT }, step));
  }
}

type Turns = Map<string, { readonly start: number; readonly stop: number }[]>;

/** One entry per round and target: the median of a few cycles. */
async function takeTurns(targets: ReadonlyMap<string, LoadTarget>, rounds: number): Promise<Turns> {
  const turns: Turns = new Map([...targets.keys()].map((name) => [name, []]));
  for (let round = 0; round < rounds; round += 1) {
    const order = round % 2 === 0 ? [...targets] : [...targets].toReversed();
    for (const [name, { load }] of order) {
      const cycles = await runCycles(load, CYCLES, 1);
      turns.get(name)?.push({
        start: median(cycles.map(({ start }) => start)),
        stop: median(cycles.map(({ stop }) => stop)),
      });
    }
  }
  return turns;
}

function levelOf(live: number, control: number, turns: Turns): ScaleLevel {
  const all = (part: 'start' | 'stop'): Record<string, number> =>
    Object.fromEntries(
      [...turns].map(([name, rounds]) => [name, median(rounds.map((one) => one[part]))]),
    );
  const ratios: Record<string, Interval> = {};
  const ours = turns.get('ours') ?? [];
  for (const [name, others] of turns) {
    if (name === 'ours') continue;
    for (const part of ['start', 'stop'] as const) {
      const pairs = ours.map((one, at) => one[part] / (others[at]?.[part] ?? Number.NaN));
      ratios[`${part} / ${name}`] = bootstrap(pairs, median);
    }
  }
  return { live, control, startMs: all('start'), stopMs: all('stop'), ratios };
}

async function measureRestart(target: LoadTarget, live: number): Promise<ScaleReport['restart']> {
  const { host } = target;
  const watch = await watchKernel(host);
  const begin = performance.now();
  const socketsMs = await target.killAndStart();
  await waitFor(
    'the agent to be in sync',
    async () => {
      const said = await runCalicoctl(host, ['status', '-o', 'json']);
      if (said.status !== 0) return false;
      const { agent } = JSON.parse(said.stdout) as { agent?: { state?: string } };
      return agent?.state === 'in-sync';
    },
    60_000,
  );
  const inSyncMs = performance.now() - begin;
  return { live, socketsMs, inSyncMs, kernelWrites: await watch.end() };
}

/** Measures starts and stops with many live containers; ours twice, so that growth is told from noise. */
export async function measureScale(fabric: Fabric, plan: ScalePlan): Promise<ScaleReport> {
  const targets = new Map<string, LoadTarget>();
  let next = 1;
  const add = async (name: string, kind: 'ours' | 'peer', program?: string): Promise<void> => {
    const indexes = Array.from({ length: plan.members }, () => next++);
    const blockSize = BLOCK_SIZE;
    const options = { kind, fabric, indexes, blockSize };
    targets.set(name, await startTarget(program === undefined ? options : { ...options, program }));
  };
  try {
    await add('ours', 'ours');
    await add('control', 'ours');
    if (plan.peer !== undefined) await add('peer', 'peer', plan.peer);
    return await measureLevels(targets, plan);
  } finally {
    for (const target of targets.values()) await target.stop();
  }
}

async function measureLevels(
  targets: ReadonlyMap<string, LoadTarget>,
  plan: ScalePlan,
): Promise<ScaleReport> {
  const crowds = new Map([...targets].map(([name, target]) => [name, new Crowd(target.load)]));
  for (const [name, { load }] of targets) {
    await runCycles(load, name === 'peer' ? 50 : plan.warmUp, FILL_IN_FLIGHT);
  }
  const levels: ScaleLevel[] = [];
  for (const live of plan.live) {
    for (const [name, crowd] of crowds) if (name !== 'control') await crowd.resize(live);
    for (const control of [0, live % BLOCK]) {
      await crowds.get('control')?.resize(control);
      levels.push(levelOf(live, control, await takeTurns(targets, plan.rounds)));
      plan.progress(`${live} live endpoints, beside a host with ${control}`);
    }
  }
  const rssMiB = Object.fromEntries([...targets].map(([name, one]) => [name, one.rssMiB()]));
  const ours = targets.get('ours');
  if (ours === undefined) throw new Error('ours is always measured');
  const restart = await measureRestart(ours, plan.live.at(-1) ?? 0);
  plan.progress('restart measured');
  return { rounds: plan.rounds, levels, rssMiB, restart };
}
