import { runCycles, type CycleTimes } from './plugin-cycle.js';
import type { LoadTarget } from './load-target.js';
import { median, spread, type Spread } from './statistics.js';

export interface LoadResult {
  readonly inFlight: number;
  readonly cyclesPerSecond: number;
  readonly cyclesPerSecondRounds: readonly number[];
  readonly start: Spread;
  readonly stop: Spread;
  readonly calls: Readonly<Record<string, Spread>>;
  readonly cpuMsPerCycle: number;
  /** Requests to etcd per cycle, lease and watch keep-alives included. */
  readonly etcdPerCycle: Readonly<Record<string, number>>;
}

interface Round {
  readonly cycles: readonly CycleTimes[];
  readonly seconds: number;
  readonly cpuSeconds: number;
  readonly etcd: Readonly<Record<string, number>>;
}

export interface LoadPlan {
  readonly rounds: number;
  readonly cyclesPerRound: number;
  readonly inFlight: readonly number[];
  readonly warmUp: number;
  readonly progress: (line: string) => void;
}

async function measure(target: LoadTarget, count: number, inFlight: number): Promise<Round> {
  const before = await target.etcdRequests();
  const cpu = target.cpuSeconds();
  const begin = performance.now();
  const cycles = await runCycles(target.load, count, inFlight);
  const seconds = (performance.now() - begin) / 1000;
  const cpuSeconds = target.cpuSeconds() - cpu;
  const after = await target.etcdRequests();
  const etcd = Object.fromEntries(
    Object.entries(after).map(([method, total]) => [
      method,
      (total - (before[method] ?? 0)) / count,
    ]),
  );
  return { cycles, seconds, cpuSeconds, etcd };
}

function summarize(inFlight: number, rounds: readonly Round[]): LoadResult {
  const cycles = rounds.flatMap((round) => round.cycles);
  const methods = [...new Set(cycles.flatMap((cycle) => Object.keys(cycle.calls)))];
  const kinds = [...new Set(rounds.flatMap((round) => Object.keys(round.etcd)))];
  const perSecond = rounds.map((round) => round.cycles.length / round.seconds);
  return {
    inFlight,
    cyclesPerSecond: median(perSecond),
    cyclesPerSecondRounds: perSecond,
    start: spread(cycles.map((cycle) => cycle.start)),
    stop: spread(cycles.map((cycle) => cycle.stop)),
    calls: Object.fromEntries(
      methods.map((method) => [method, spread(cycles.map((cycle) => cycle.calls[method] ?? 0))]),
    ),
    cpuMsPerCycle: median(rounds.map((round) => (round.cpuSeconds * 1000) / round.cycles.length)),
    etcdPerCycle: Object.fromEntries(
      kinds
        .map((kind) => [kind, median(rounds.map((round) => round.etcd[kind] ?? 0))] as const)
        .filter(([, count]) => count > 0.005),
    ),
  };
}

/** Measures all targets in turn, round by round, so that whatever else the machine does hits them alike. */
export async function measureLoad(
  targets: readonly LoadTarget[],
  plan: LoadPlan,
): Promise<Readonly<Record<string, readonly LoadResult[]>>> {
  const rounds = new Map<string, Round[]>();
  for (const target of targets) await runCycles(target.load, plan.warmUp, 8);
  for (let round = 0; round < plan.rounds; round += 1) {
    for (const inFlight of plan.inFlight) {
      const order = round % 2 === 0 ? targets : targets.toReversed();
      for (const target of order) {
        const one = await measure(target, plan.cyclesPerRound, inFlight);
        const key = `${target.name} ${inFlight}`;
        rounds.set(key, [...(rounds.get(key) ?? []), one]);
      }
    }
    plan.progress(`plugin calls: round ${round + 1} of ${plan.rounds}`);
  }
  return Object.fromEntries(
    targets.map((target) => [
      target.name,
      plan.inFlight.map((inFlight) =>
        summarize(inFlight, rounds.get(`${target.name} ${inFlight}`) ?? []),
      ),
    ]),
  );
}

/** Round trips to etcd that a start and a stop make one after the other, by how much a delay of etcd slows them. */
export async function countRoundTrips(
  target: LoadTarget,
  direct: { readonly start: number; readonly stop: number },
  roundTripMs: number,
  cycles: number,
): Promise<{ readonly start: number; readonly stop: number }> {
  // A program that has just started is slower: let it warm up before it is compared with one that was warm.
  await runCycles(target.load, 100, 20);
  const times = await runCycles(target.load, cycles, 1);
  return {
    start: (median(times.map((one) => one.start)) - direct.start) / roundTripMs,
    stop: (median(times.map((one) => one.stop)) - direct.stop) / roundTripMs,
  };
}
