import type { PolicyMeasures, PolicyTimes } from './policy-measures.js';
import type { PolicyStart } from './policy-start.js';
import type { Interval } from './statistics.js';

/** What one run found out about policy. */
export interface PolicyReport {
  readonly measures?: PolicyMeasures;
  readonly start?: PolicyStart;
}

const EDITS: Readonly<Record<string, string>> = {
  rule: 'a rule of a policy of half the endpoints changes',
  selector: 'a policy goes from one half of them to the other',
  cover: 'a policy of all endpoints comes or goes',
  label: 'a remote endpoint becomes one that rules name, or not',
};

const number = (value: number, digits: number): string => value.toFixed(digits);
const interval = ({ value, low, high }: Interval, digits = 1): string =>
  `${number(value, digits)} (${number(low, digits)} to ${number(high, digits)})`;

/** Rows of the tables for people: first a heading, columns in order. */
export function policyTables({ measures, start }: PolicyReport): (readonly string[])[][] {
  const tables: (readonly string[])[][] = [];
  if (measures !== undefined) {
    const rows = Object.entries(measures.edits).map(([name, times]) =>
      timesRow(EDITS[name] ?? name, times),
    );
    const [few, many] = Object.values(measures.edits)[0]?.endpoints ?? [];
    tables.push([
      [`Policy edit to enforced, ms, ${measures.rounds} pairs`, ...headings([few, many])],
      ...rows,
    ]);
    tables.push([
      ['Container start, policy and routes, ms', ...headings(measures.start.endpoints)],
      timesRow('program', measures.start),
    ]);
    const { ms, many: ratio, linear } = measures.roundTrips;
    tables.push([
      ['Round trip between two containers', 'ms', 'of that at two'],
      ...Object.entries(ms).map(([name, one], at) => [
        name,
        interval(one, 3),
        at === 0 ? '' : interval(at === 1 ? ratio : linear, 2),
      ]),
    ]);
  }
  if (start !== undefined) {
    const { locals, remotes, policies, inSyncMs, cpuMs, restMiB, peakMiB } = start;
    tables.push([
      [`Daemon start: ${policies} policies, ${locals} endpoints here, ${remotes} elsewhere`, ''],
      ['in sync after, s', number(inSyncMs / 1000, 1)],
      ['CPU until then, s', number(cpuMs / 1000, 1)],
      ['resident then / at most, MiB', `${number(restMiB, 0)} / ${number(peakMiB, 0)}`],
    ]);
  }
  return tables;
}

const headings = (endpoints: readonly (number | undefined)[]): string[] =>
  endpoints.flatMap((count) => [`${count} endpoints`, 'CPU']);

function timesRow(name: string, { ms, cpuMs }: PolicyTimes): string[] {
  return [
    name,
    ...ms.flatMap((one, at) => [interval(one), number(cpuMs[at]?.value ?? Number.NaN, 1)]),
  ];
}

export interface PolicyBound {
  readonly name: string;
  readonly unit: string;
  readonly bound: number;
  readonly value: number | undefined;
  readonly direction: 'at most' | 'at least';
}

/** Endpoints of the host in the cluster that the promise is about. */
const LARGE = 5_000;

/** What is promised of policy, each with the median that was found. */
export function policyBounds(report: PolicyReport | undefined): PolicyBound[] {
  const { measures } = report ?? {};
  // A quick run takes a small cluster, which says nothing of the large one.
  const start = (report?.start?.locals ?? 0) < LARGE ? undefined : report?.start;
  const edit = (names: readonly string[], at: number): number | undefined => {
    const found = names.flatMap((name) => measures?.edits[name]?.ms[at]?.value ?? []);
    return found.length === 0 ? undefined : Math.max(...found);
  };
  const policies = ['rule', 'selector', 'cover'];
  const most = (name: string, unit: string, bound: number, value: number | undefined) => ({
    ...{ name, unit, bound, value, direction: 'at most' as const },
  });
  return [
    most('policy edit, slowest kind, at 100 endpoints', 'ms', 20, edit(policies, 0)),
    most('policy edit, slowest kind, at 5,000 endpoints', 'ms', 60, edit(policies, 1)),
    most('remote label change, at 5,000 endpoints', 'ms', 10, edit(['label'], 1)),
    most('policy part of a start, at 1,000 endpoints', 'ms', 3, measures?.start.ms[1]?.value),
    most(
      'round trip at 5,000 endpoints, of that at two',
      '×',
      1.2,
      measures?.roundTrips.many.value,
    ),
    {
      ...most(
        'control: round trip with 5,000 linear rules',
        '×',
        2,
        measures?.roundTrips.linear.value,
      ),
      direction: 'at least',
    },
    most('start to in-sync, large cluster', 's', 10, seconds(start?.inSyncMs)),
    most('memory then, large cluster', 'MiB', 450, start?.restMiB),
  ];
}

const seconds = (ms: number | undefined): number | undefined =>
  ms === undefined ? undefined : ms / 1000;
