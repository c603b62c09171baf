import t from 'tap';
import { finding, ratioFinding } from '../../bench/hosts/finding.js';
import { renderReport } from '../../bench/report.js';
import { isMet, targetsOf, type BenchReport } from '../../bench/targets.js';
import type { LoadResult } from '../../bench/plugin-load.js';

const spread = (p50: number): LoadResult['start'] => ({ p50, p95: p50, p99: p50, count: 1 });
const load = (
  inFlight: number,
  cyclesPerSecond: number,
  start: number,
  stop: number,
): LoadResult => ({
  inFlight,
  cyclesPerSecond,
  cyclesPerSecondRounds: [cyclesPerSecond],
  start: spread(start),
  stop: spread(stop),
  calls: { 'NetworkDriver.Join': spread(1) },
  cpuMsPerCycle: 1,
  etcdPerCycle: { Txn: 4 },
});

const report: BenchReport = {
  date: '2026-01-01T00:00:00Z',
  node: 'v20',
  options: {},
  yardstickMs: { lowest: 1, highest: 2 },
  calls: {
    '1': {
      ours: [load(1, 90, 6, 5), load(32, 300, 60, 40)],
      peer: [load(1, 26, 12, 25), load(32, 100, 200, 100)],
    },
  },
  rssAfterLoadMiB: { ours: 90 },
};

t.test('targets compare ratios of one run', async (t) => {
  const targets = targetsOf(report);
  const found = (text: string): boolean | undefined => {
    const target = targets.find((one) => one.name.startsWith(text));
    return target === undefined ? undefined : isMet(target);
  };
  t.equal(found('calls of a start'), true, '6 of 12');
  t.equal(found('calls of a stop'), true, '5 of 25');
  t.equal(found('cycles per second'), true, '300 of 100');
  t.equal(found('memory at rest'), undefined, 'not measured is not met');
});

t.test('the report says which targets were missed', async (t) => {
  const slow = {
    ...report,
    calls: { '1': { ours: [load(1, 20, 24, 5)], peer: [load(1, 26, 12, 25)] } },
  };
  const text = renderReport(slow);
  t.match(text, /calls of a start.* 2\.00 ×.*MISSED/);
  t.match(text, /calls of a stop.* 0\.20 ×.*met/);
});

t.test('policy: the slowest kind of edit counts, and the control has to be slow', async (t) => {
  const at = (value: number) => ({ value, low: value, high: value });
  const times = (few: number, many: number) => ({
    ...{ endpoints: [100, 5000], ms: [at(few), at(many)], cpuMs: [at(1), at(2)] },
  });
  const edits = { rule: times(7, 9), cover: times(9, 70), label: times(6, 7) };
  const ms = { two: at(0.02), many: at(0.02), linear: at(0.1) };
  const roundTrips = { ms, many: at(1), linear: at(1.5) };
  const measures = { rounds: 30, edits, start: times(2, 2.5), roundTrips };
  const cluster = { locals: 5000, remotes: 100_000, policies: 1000 };
  const start = {
    ...cluster,
    inSyncMs: 9000,
    inSyncMsRounds: [],
    cpuMs: 1,
    restMiB: 460,
    peakMiB: 1,
  };
  const text = renderReport({ ...report, policy: { measures, start } });
  t.match(text, /policy edit, slowest kind, at 100 endpoints +9\.00 ms .* met/);
  t.match(text, /policy edit, slowest kind, at 5,000 endpoints +70\.00 ms .* MISSED/);
  t.match(text, /remote label change.* met/);
  t.match(text, /control: round trip with 5,000 linear rules +1\.50 × .* MISSED/);
  t.match(text, /start to in-sync, large cluster +9\.00 s .* met/);
  t.match(text, /memory then, large cluster +460\.00 MiB .* MISSED/);
  t.match(text, /a policy of all endpoints comes or goes +9\.0 \(9\.0 to 9\.0\) +1\.0 +70\.0/);
});

t.test('what is measured between hosts is a target each, with its notes', async (t) => {
  const promised = { name: 'one change', unit: 'ms', bound: 50, direction: 'at most' } as const;
  const hosts = [finding({ ...promised, notes: ['as it was'] }, [10, 12, 11])];
  const found = targetsOf({ ...report, hosts }).find(({ name }) => name === 'one change');
  t.match(found, { value: 11, bound: 50 });
  const text = renderReport({ ...report, hosts });
  t.match(text, /one change +11\.00 \(1[01]\.00 to 1[12]\.00\) +ms +3/);
  t.match(text, 'one change: as it was');
  const pairs = ratioFinding({ ...promised, direction: 'at least', bound: 0.95 }, [
    [2, 1],
    [3, 2],
    [1, 1],
  ]);
  t.equal(pairs.value.value, 1.5, 'the median of the ratios');
});
