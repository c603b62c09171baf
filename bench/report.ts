import type { ContainerReport } from './container-start.js';
import type { ManyContainersReport } from './many-containers.js';
import type { HostFinding } from './hosts/index.js';
import type { LoadResult } from './plugin-load.js';
import { policyTables } from './policy-report.js';
import type { Interval } from './statistics.js';
import { isMet, targetsOf, type BenchReport } from './targets.js';

const text = (value: number | undefined, digits = 1): string =>
  value === undefined || !Number.isFinite(value) ? '–' : value.toFixed(digits);

/** Lines of a table: first column to the left, the others to the right. */
function table(rows: readonly (readonly string[])[]): string[] {
  const widths = (rows[0] ?? []).map((_, at) =>
    Math.max(...rows.map((row) => (row[at] ?? '').length)),
  );
  return rows.map((row) =>
    row
      .map((cell, at) => (at === 0 ? cell.padEnd(widths[at] ?? 0) : cell.padStart(widths[at] ?? 0)))
      .join('  ')
      .trimEnd(),
  );
}

function callTable(results: Readonly<Record<string, readonly LoadResult[]>>): string[] {
  const lines: string[] = [];
  const names = Object.keys(results);
  for (const [at, first] of (results[names[0] ?? ''] ?? []).entries()) {
    const of = (name: string): LoadResult | undefined => results[name]?.[at];
    const header = ['ms (p50 / p95 / p99)', ...names, ...(names.length === 2 ? ['ratio'] : [])];
    const row = (
      title: string,
      pick: (result: LoadResult) => { p50: number; p95: number; p99: number } | undefined,
    ): string[] => {
      const cells = names.map((name) => {
        const result = of(name);
        const one = result === undefined ? undefined : pick(result);
        return `${text(one?.p50, 2)} / ${text(one?.p95, 1)} / ${text(one?.p99, 1)}`;
      });
      const [ours, peer] = names.map((name) => {
        const result = of(name);
        return result === undefined ? undefined : pick(result)?.p50;
      });
      return [
        title,
        ...cells,
        ...(names.length === 2 ? [text((ours ?? Number.NaN) / (peer ?? Number.NaN), 2)] : []),
      ];
    };
    lines.push(
      '',
      `${first.inFlight} in flight: ${names.map((name) => `${name} ${text(of(name)?.cyclesPerSecond)} cycles/s`).join(', ')}`,
    );
    lines.push(
      ...table([
        header,
        ...Object.keys(first.calls).map((method) => row(method, (result) => result.calls[method])),
        row('start, all its calls', (result) => result.start),
        row('stop, all its calls', (result) => result.stop),
      ]),
    );
    for (const name of names) {
      const result = of(name);
      const requests = Object.entries(result?.etcdPerCycle ?? {}).map(
        ([kind, count]) => `${kind} ${text(count, 2)}`,
      );
      lines.push(
        `${name}: etcd requests per cycle ${requests.join(', ')}; CPU ${text(result?.cpuMsPerCycle, 2)} ms per cycle`,
      );
    }
  }
  return lines;
}

const interval = (one: Interval | undefined, digits: number): string =>
  `${text(one?.value, digits)} (${text(one?.low, digits)} to ${text(one?.high, digits)})`;

function containerTable(report: ContainerReport): string[] {
  const rows = report.networks.map((one) => [
    one.network,
    text(one.start),
    text(one.stop),
    ...[one.addedStart, one.addedStop, one.addedStartStop].map((value) => interval(value, 1)),
  ]);
  const ratios = Object.entries(report.ratios).map(([name, value]) => [name, interval(value, 2)]);
  return [
    '',
    `Real containers, ${report.rounds} rounds; added to --net none in the same round, 90 % interval`,
    ...table([['ms', 'start', 'stop', 'start added', 'stop added', 'start+stop added'], ...rows]),
    '',
    ...table([['added, ratio', '90 % interval'], ...ratios]),
  ];
}

function scaleTable({ scale, twoHosts, farEtcd }: ManyContainersReport): string[] {
  const names = Object.keys(scale.levels[0]?.startMs ?? {});
  const ratios = Object.keys(scale.levels[0]?.ratios ?? {});
  const rows = scale.levels.map((one) => [
    `${one.live} (control ${one.control})`,
    ...names.map((name) => `${text(one.startMs[name], 2)} / ${text(one.stopMs[name], 2)}`),
    ...ratios.map((name) => interval(one.ratios[name], 2)),
  ]);
  const { restart } = scale;
  const memory = Object.entries(scale.rssMiB).map(([name, mib]) => `${name} ${text(mib)} MiB`);
  const flights = twoHosts.map((one) => [
    `${one.inFlight} in flight`,
    `${text(one.requestsOfOne, 2)} and ${text(one.requestsOfTwo, 2)}`,
    `${text(one.cyclesPerSecondOfOne)} and ${text(one.cyclesPerSecondOfTwo)}`,
  ]);
  return [
    '',
    `Calls with many live endpoints, ${scale.rounds} rounds in turn; control: ours with few; ratios with 90 % interval`,
    ...table([['live', ...names.map((name) => `${name}, ms start / stop`), ...ratios], ...rows]),
    `resident: ${memory.join(', ')}`,
    `killed and started with ${restart.live} live: sockets after ${text(restart.socketsMs, 0)} ms, in sync after ${text(restart.inSyncMs, 0)} ms, ${restart.kernelWrites} writes to the kernel`,
    '',
    ...table([['one host and two on one pool', 'etcd requests per cycle', 'cycles/s'], ...flights]),
    '',
    `etcd ${farEtcd.roundTripMs} ms away: start ${text(farEtcd.startMs)} ms, stop ${text(farEtcd.stopMs)} ms (near: ${text(farEtcd.nearStartMs)} and ${text(farEtcd.nearStopMs)})`,
  ];
}

function hostsTable(findings: readonly HostFinding[]): string[] {
  const rows = findings.map(({ name, unit, value, samples }) => [
    name,
    interval(value, 2),
    unit,
    String(samples.length),
  ]);
  return [
    '',
    'Between hosts, 90 % interval',
    ...table([['median', 'found', '', 'samples'], ...rows]),
    ...findings.flatMap(({ name, notes = [] }) => notes.map((note) => `${name}: ${note}`)),
  ];
}

/** The report as text for people. */
export function renderReport(report: BenchReport): string {
  const { lowest, highest } = report.yardstickMs;
  const lines = [
    `${report.date}, Node ${report.node}; yardstick ${text(lowest)} to ${text(highest)} ms (a wide range: the machine was busy)`,
  ];
  for (const [members, results] of Object.entries(report.calls)) {
    lines.push(
      '',
      `Plugin calls, ${members} etcd member${members === '1' ? '' : 's'}`,
      ...callTable(results),
    );
  }
  if (report.roundTrips !== undefined) {
    lines.push('', 'Round trips to etcd one after the other');
    const rows = Object.entries(report.roundTrips).map(([name, one]) => [
      name,
      text(one.start),
      text(one.stop),
    ]);
    lines.push(...table([['', 'start', 'stop'], ...rows]));
  }
  for (const [name, mib] of Object.entries(report.rssAfterLoadMiB))
    lines.push(`${name}: ${text(mib)} MiB resident after the load`);
  if (report.containers !== undefined) lines.push(...containerTable(report.containers));
  if (report.start !== undefined) {
    const { etcd, embedded } = report.start;
    lines.push(
      '',
      `Start: sockets after ${text(etcd.readyMs, 0)} ms (etcd), ${text(embedded.readyMs, 0)} ms (embedded); at rest ${text(etcd.restMiB)} and ${text(embedded.restMiB)} MiB`,
    );
  }
  if (report.embeddedPairs !== undefined) {
    const pairs = Object.entries(report.embeddedPairs.pairsPerSecond).map(
      ([flights, rate]) => `${text(rate, 0)} at ${flights} in flight`,
    );
    lines.push('', `Embedded store, claims and releases per second: ${pairs.join(', ')}`);
  }
  if (report.manyContainers !== undefined) lines.push(...scaleTable(report.manyContainers));
  for (const rows of policyTables(report.policy ?? {})) lines.push('', ...table(rows));
  if (report.hosts !== undefined) lines.push(...hostsTable(report.hosts));
  const words = (met: boolean | undefined): string =>
    met === undefined ? 'not measured' : met ? 'met' : 'MISSED';
  const targets = targetsOf(report).map((one) => [
    one.name,
    `${text(one.value, 2)} ${one.unit}`.trim(),
    `${one.direction} ${one.bound}`,
    words(isMet(one)),
  ]);
  lines.push('', ...table([['target', 'found', 'bound', ''], ...targets]));
  return lines.join('\n');
}
