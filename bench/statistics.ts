/** Sample statistics; every function takes milliseconds or any other unit and returns the same. */

export function quantile(values: readonly number[], share: number): number {
  if (values.length === 0) return Number.NaN;
  const sorted = [...values].sort((a, b) => a - b);
  const at = share * (sorted.length - 1);
  const low = Math.floor(at);
  const below = sorted[low] ?? Number.NaN;
  const above = sorted[Math.ceil(at)] ?? below;
  return below + (above - below) * (at - low);
}

export function median(values: readonly number[]): number {
  return quantile(values, 0.5);
}

export interface Spread {
  readonly p50: number;
  readonly p95: number;
  readonly p99: number;
  readonly count: number;
}

export function spread(values: readonly number[]): Spread {
  return {
    p50: median(values),
    p95: quantile(values, 0.95),
    p99: quantile(values, 0.99),
    count: values.length,
  };
}

export interface Interval {
  readonly value: number;
  readonly low: number;
  readonly high: number;
}

/** A repeatable stream of numbers in [0, 1), so that an interval does not change from one report to the next. */
function* numbers(seed: number): Generator<number, never> {
  let state = seed >>> 0;
  for (;;) {
    state = (Math.imul(state, 1_664_525) + 1_013_904_223) >>> 0;
    yield state / 2 ** 32;
  }
}

/** A statistic of the samples with its bootstrap 90 % interval (2,000 resamplings). */
export function bootstrap<T>(
  samples: readonly T[],
  statistic: (samples: readonly T[]) => number,
): Interval {
  const random = numbers(1);
  const results: number[] = [];
  for (let round = 0; round < 2000; round += 1) {
    const again = samples.map(() => samples[Math.floor(random.next().value * samples.length)] as T);
    results.push(statistic(again));
  }
  return { value: statistic(samples), low: quantile(results, 0.05), high: quantile(results, 0.95) };
}

/** Milliseconds that a fixed amount of work takes: tells whether the machine was busy between two runs. */
export function yardstick(): number {
  const begin = performance.now();
  let state = 1;
  for (let step = 0; step < 20_000_000; step += 1)
    state = (Math.imul(state, 1_664_525) + 1_013_904_223) >>> 0;
  return state === 0 ? Number.NaN : performance.now() - begin;
}
