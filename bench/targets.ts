import type { ContainerReport } from './container-start.js';
import type { PairsResult } from './embedded-pairs.js';
import type { ManyContainersReport } from './many-containers.js';
import type { HostFinding } from './hosts/index.js';
import type { LoadResult } from './plugin-load.js';
import { policyBounds, type PolicyReport } from './policy-report.js';
import type { StartTime } from './start-time.js';

/** Everything one run measured; what was left out is undefined. */
export interface BenchReport {
  readonly date: string;
  readonly node: string;
  readonly options: Readonly<Record<string, unknown>>;
  /** The same piece of work timed through the run: a wide range means a busy machine. */
  readonly yardstickMs: { readonly lowest: number; readonly highest: number };
  /** By number of etcd members, then by target. */
  readonly calls: Readonly<Record<string, Readonly<Record<string, readonly LoadResult[]>>>>;
  readonly roundTrips?: Readonly<Record<string, { readonly start: number; readonly stop: number }>>;
  readonly rssAfterLoadMiB: Readonly<Record<string, number>>;
  readonly containers?: ContainerReport;
  readonly start?: { readonly etcd: StartTime; readonly embedded: StartTime };
  readonly embeddedPairs?: PairsResult;
  readonly manyContainers?: ManyContainersReport;
  readonly policy?: PolicyReport;
  readonly hosts?: readonly HostFinding[];
}

export interface Target {
  readonly name: string;
  readonly unit: string;
  /** What was measured, or undefined when it was not. */
  readonly value: number | undefined;
  readonly bound: number;
  readonly direction: 'at most' | 'at least';
}

export function isMet(target: Target): boolean | undefined {
  if (target.value === undefined || Number.isNaN(target.value)) return undefined;
  return target.direction === 'at most'
    ? target.value <= target.bound
    : target.value >= target.bound;
}

function ratio(
  report: BenchReport,
  inFlight: number,
  pick: (result: LoadResult) => number,
): number | undefined {
  const [first] = Object.values(report.calls);
  const of = (name: string): number | undefined => {
    const result = first?.[name]?.find((one) => one.inFlight === inFlight);
    return result === undefined ? undefined : pick(result);
  };
  const [ours, peer] = [of('ours'), of('peer')];
  return ours === undefined || peer === undefined ? undefined : ours / peer;
}

const most = (name: string, unit: string, bound: number, value: number | undefined): Target => ({
  name,
  unit,
  value,
  bound,
  direction: 'at most',
});
const least = (name: string, unit: string, bound: number, value: number | undefined): Target => ({
  name,
  unit,
  value,
  bound,
  direction: 'at least',
});

/** What the project promises about its speed and size, with what this run found. */
export function targetsOf(report: BenchReport): Target[] {
  const containers = (name: string): number | undefined => report.containers?.ratios[name]?.value;
  const pairs = report.embeddedPairs?.pairsPerSecond;
  return [
    most(
      'calls of a start, one at a time, of the predecessor',
      '×',
      0.65,
      ratio(report, 1, (one) => one.start.p50),
    ),
    most(
      'calls of a stop, one at a time, of the predecessor',
      '×',
      0.3,
      ratio(report, 1, (one) => one.stop.p50),
    ),
    least(
      'cycles per second at 32 in flight, of the predecessor',
      '×',
      2.5,
      ratio(report, 32, (one) => one.cyclesPerSecond),
    ),
    least(
      'cycles per second at 8 in flight, of the predecessor',
      '×',
      1.5,
      ratio(report, 8, (one) => one.cyclesPerSecond),
    ),
    most('real start, added, of the predecessor', '×', 0.9, containers('ours / peer, start')),
    most(
      'real start, added, of a user-defined bridge',
      '×',
      1.2,
      containers('ours / userbridge, start'),
    ),
    most(
      'real start and stop, added, of a user-defined bridge',
      '×',
      1.05,
      containers('ours / userbridge, start+stop'),
    ),
    most('round trips to etcd of a start', '', 2.5, report.roundTrips?.['ours']?.start),
    most('round trips to etcd of a stop', '', 2.5, report.roundTrips?.['ours']?.stop),
    most('memory at rest, etcd', 'MiB', 110, report.start?.etcd.restMiB),
    most('memory at rest, embedded store', 'MiB', 100, report.start?.embedded.restMiB),
    most('sockets answer after', 'ms', 250, report.start?.etcd.readyMs),
    least(
      'embedded store, claims and releases',
      'pairs/s',
      5000,
      pairs === undefined ? undefined : Math.max(...Object.values(pairs)),
    ),
    ...(report.manyContainers === undefined ? [] : targetsAtScale(report.manyContainers)),
    ...policyBounds(report.policy),
    ...(report.hosts ?? []).map(({ name, unit, value, bound, direction }): Target => ({
      ...{ name, unit, value: value.value, bound, direction },
    })),
  ];
}

function targetsAtScale({ scale, twoHosts, farEtcd }: ManyContainersReport): Target[] {
  const growth = scale.levels.flatMap(({ live, control, ratios }) =>
    ['start', 'stop'].map((part) =>
      most(
        `${part} with ${live} live, of own with ${control}`,
        '×',
        control === 0 ? 1.4 : 1.2,
        ratios[`${part} / control`]?.value,
      ),
    ),
  );
  const stops = scale.levels
    .filter(({ control }) => control === 0)
    .map(({ live, ratios }) => {
      const name = `stop with ${live} live, of the predecessor`;
      return most(name, '×', live >= 4000 ? 0.1 : 0.2, ratios['stop / peer']?.value);
    });
  const { live, socketsMs, inSyncMs, kernelWrites } = scale.restart;
  return [
    ...growth,
    ...stops,
    most(`memory with ${live} live`, 'MiB', 190, scale.rssMiB['ours']),
    most(`sockets answer after a kill with ${live} live`, 'ms', 500, socketsMs),
    most(`in sync after a kill with ${live} live`, 'ms', 3000, inSyncMs),
    most('writes to the kernel by that restart', '', 0, kernelWrites),
    ...twoHosts.map(({ inFlight, requestsOfOne, requestsOfTwo }) =>
      most(
        `etcd requests per cycle of two hosts, of one, at ${inFlight}`,
        '×',
        // A thousandth is a keep-alive more or less.
        1.001,
        requestsOfTwo / requestsOfOne,
      ),
    ),
    most('start with etcd 20 ms away', 'ms', 60, farEtcd.startMs),
    most('stop with etcd 20 ms away', 'ms', 60, farEtcd.stopMs),
  ];
}
