// npm run bench -- [--json FILE] [--peers FOLDER] [--rounds N] [--cycles N] [--members 1,2] [--only PART,…] [--quick]
//
//   --json FILE      write everything as JSON too
//   --peers FOLDER   folder with `eru-minions`, the predecessor, to be measured beside ours ($PEERS)
//   --rounds N       rounds of real containers (default 60); plugin calls take a tenth of it, at least 3
//   --cycles N       container lives in calls per round and target (default 200)
//   --warm-up N      container lives before the first measured one (default 1500): compiled code settles after a thousand
//   --members LIST   etcd members per target (default 1)
//   --only LIST      parts: calls, trips, containers, start, pairs, scale, policy, hosts (default all)
//   --quick          few rounds of everything, to see that it works
//
// Absolute times hold for one machine at one time; the ratios of one run are the result.
import { existsSync, writeFileSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { parseArgs } from 'node:util';
import { startFabric, type Fabric } from '../test/fixtures/fabric.js';
import { labObstacle, startLabHost } from '../test/fixtures/lab-host.js';
import { measureContainers } from './container-start.js';
import { measureEmbeddedPairs } from './embedded-pairs.js';
import { measureManyContainers } from './many-containers.js';
import { startTarget, type LoadTarget, type TargetKind } from './load-target.js';
import { measureHosts } from './hosts/index.js';
import { countRoundTrips, measureLoad, type LoadResult } from './plugin-load.js';
import { measurePolicy } from './policy-measures.js';
import type { PolicyReport } from './policy-report.js';
import { measurePolicyStart } from './policy-start.js';
import { renderReport } from './report.js';
import { measureStart, type StartTime } from './start-time.js';
import { yardstick } from './statistics.js';
import { isMet, targetsOf, type BenchReport } from './targets.js';

/** Far more than the noise of a call, so that a handful of cycles count exactly. */
const ROUND_TRIP_MS = 50;

const { values } = parseArgs({
  options: {
    json: { type: 'string' },
    peers: { type: 'string', default: process.env['PEERS'] ?? '' },
    rounds: { type: 'string' },
    cycles: { type: 'string' },
    'warm-up': { type: 'string' },
    members: { type: 'string', default: '1' },
    only: { type: 'string', default: 'calls,trips,containers,start,pairs,scale,policy,hosts' },
    quick: { type: 'boolean', default: false },
  },
});
const parts = values.only.split(',');
const rounds = Number(values.rounds ?? (values.quick ? 6 : 60));
const cycles = Number(values.cycles ?? (values.quick ? 40 : 200));
const warmUp = Number(values['warm-up'] ?? (values.quick ? 40 : 1500));
const callRounds = values.quick ? 2 : Math.max(3, Math.round(rounds / 10));
const peerProgram = values.peers === '' ? undefined : resolve(join(values.peers, 'eru-minions'));
const begin = performance.now();
const sticks: number[] = [];

function progress(line: string): void {
  process.stderr.write(
    `${((performance.now() - begin) / 1000).toFixed(0).padStart(4)} s  ${line}\n`,
  );
}

function stick(): void {
  sticks.push(yardstick());
}

async function withTargets<T>(
  fabric: Fabric,
  members: number,
  work: (targets: LoadTarget[]) => Promise<T>,
): Promise<T> {
  const kinds: TargetKind[] = peerProgram === undefined ? ['ours'] : ['ours', 'peer'];
  const targets: LoadTarget[] = [];
  try {
    for (const [at, kind] of kinds.entries()) {
      const indexes = Array.from({ length: members }, (_, member) => 1 + at * members + member);
      const program = kind === 'peer' ? { program: peerProgram ?? '' } : {};
      targets.push(await startTarget({ kind, fabric, indexes, ...program }));
    }
    return await work(targets);
  } finally {
    for (const target of targets) await target.stop();
  }
}

interface CallsPart {
  readonly calls: Record<string, Readonly<Record<string, readonly LoadResult[]>>>;
  readonly rss: Record<string, number>;
  readonly trips: Record<string, { readonly start: number; readonly stop: number }>;
}

async function measureCalls(): Promise<CallsPart> {
  const result: CallsPart = { calls: {}, rss: {}, trips: {} };
  for (const members of values.members.split(',').map(Number)) {
    const fabric = await startFabric();
    try {
      await withTargets(fabric, members, async (targets) => {
        const plan = {
          rounds: callRounds,
          cyclesPerRound: cycles,
          inFlight: [1, 8, 32],
          warmUp,
          progress,
        };
        const found = await measureLoad(targets, plan);
        result.calls[String(members)] = found;
        for (const target of targets) result.rss[target.name] ??= target.rssMiB();
        if (!parts.includes('trips') || Object.keys(result.trips).length > 0) return;
        for (const [at, target] of targets.entries()) {
          const direct = found[target.name]?.find((one) => one.inFlight === 1);
          if (direct === undefined) continue;
          const far = await target.restartWithDelay(ROUND_TRIP_MS);
          targets[at] = far;
          const times = { start: direct.start.p50, stop: direct.stop.p50 };
          result.trips[target.name] = await countRoundTrips(
            far,
            times,
            ROUND_TRIP_MS,
            values.quick ? 15 : 50,
          );
          progress(`round trips of ${target.name} counted`);
        }
      });
    } finally {
      await fabric.stop();
    }
    stick();
  }
  return result;
}

async function measureStarts(): Promise<{
  readonly etcd: StartTime;
  readonly embedded: StartTime;
}> {
  const fabric = await startFabric();
  const host = await startLabHost('start');
  try {
    await fabric.attach(host, 1);
    const embedded = await measureStart(
      host,
      { CALICO_LIBNETWORK_DATASTORE_TYPE: 'embedded' },
      values.quick ? 3 : 10,
    );
    progress('start with the embedded store measured');
    await host.spawn('etcd', ['--data-dir', join(host.dir, 'etcd')]);
    const etcd = await measureStart(
      host,
      {
        DATASTORE_TYPE: 'etcdv3',
        ETCD_ENDPOINTS: 'http://127.0.0.1:2379',
        CALICO_STATE_DIR: join(host.dir, 'calico-etcd'),
      },
      values.quick ? 3 : 10,
    );
    progress('start with etcd measured');
    return { etcd, embedded };
  } finally {
    await host.stop();
    await fabric.stop();
  }
}

/** Rounds are pairs here; a start of the large cluster takes minutes to prepare and is repeated thrice. */
async function measurePolicyPart(): Promise<PolicyReport> {
  const measures = await measurePolicy(
    values.quick ? 4 : Math.max(30, Math.round(rounds / 2)),
    progress,
  );
  stick();
  const large = { locals: 5_000, remotes: 100_000, policies: 1_000 };
  const small = { locals: 100, remotes: 2_000, policies: 50 };
  const start = await measurePolicyStart(
    values.quick ? small : large,
    values.quick ? 1 : 3,
    progress,
  );
  return { measures, start };
}

const obstacle = labObstacle();
if (obstacle !== undefined) throw new Error(`the bench cannot run here: ${obstacle}`);
if (peerProgram !== undefined && !existsSync(peerProgram))
  throw new Error(`there is no ${peerProgram}`);
if (peerProgram === undefined) progress('the predecessor is not measured: no --peers FOLDER');
stick();
const calls = parts.includes('calls') ? await measureCalls() : { calls: {}, rss: {}, trips: {} };
const containers = parts.includes('containers')
  ? await measureContainers({ rounds, peer: peerProgram, progress })
  : undefined;
stick();
const start = parts.includes('start') ? await measureStarts() : undefined;
const policy = parts.includes('policy') ? await measurePolicyPart() : undefined;
stick();
const embeddedPairs = parts.includes('pairs')
  ? await measureEmbeddedPairs(values.quick ? 2 : 5, values.quick ? 2000 : 10_000)
  : undefined;
const manyContainers = parts.includes('scale')
  ? await measureManyContainers({
      peer: peerProgram,
      members: Number(values.members.split(',').at(-1)),
      quick: values.quick,
      progress,
    })
  : undefined;
stick();
const hosts = parts.includes('hosts')
  ? await measureHosts({
      rounds: values.quick ? 3 : Math.max(30, Math.round(rounds / 2)),
      starts: values.quick ? 5 : 100,
      progress,
    })
  : undefined;
stick();
const report: BenchReport = {
  date: new Date().toISOString(),
  node: process.version,
  options: { ...values, rounds, cycles, callRounds, warmUp },
  yardstickMs: { lowest: Math.min(...sticks), highest: Math.max(...sticks) },
  calls: calls.calls,
  rssAfterLoadMiB: calls.rss,
  ...(Object.keys(calls.trips).length === 0 ? {} : { roundTrips: calls.trips }),
  ...(containers === undefined ? {} : { containers }),
  ...(start === undefined ? {} : { start }),
  ...(embeddedPairs === undefined ? {} : { embeddedPairs }),
  ...(manyContainers === undefined ? {} : { manyContainers }),
  ...(policy === undefined ? {} : { policy }),
  ...(hosts === undefined ? {} : { hosts }),
};
if (values.json !== undefined) {
  const targets = targetsOf(report).map((target) => ({ ...target, met: isMet(target) }));
  writeFileSync(values.json, `${JSON.stringify({ ...report, targets }, null, 1)}\n`);
}
console.log(renderReport(report));
