import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { createAdminClient } from '../src/admin/index.js';
import { startFabric } from '../test/fixtures/fabric.js';
import { startLabHost, type LabHost } from '../test/fixtures/lab-host.js';
import { ensureBuilt, startPluginDaemon } from '../test/fixtures/plugin-daemon.js';
import { interfaceOf } from './policy-cluster.js';
import { median } from './statistics.js';

export interface PolicyStart {
  readonly locals: number;
  readonly remotes: number;
  readonly policies: number;
  /** From starting the daemon until the kernel is as all of it wants. */
  readonly inSyncMs: number;
  readonly inSyncMsRounds: readonly number[];
  /** CPU of the daemon until then. */
  readonly cpuMs: number;
  /** Resident memory after that, and the most that there was. */
  readonly restMiB: number;
  readonly peakMiB: number;
}

export interface PolicyCluster {
  readonly locals: number;
  readonly remotes: number;
  readonly policies: number;
}

const ETCD = 'http://127.0.0.1:2379';
const REST_MS = 8_000;
/** A busy machine takes minutes: that is a result, too. */
const BOUND_MS = 600_000;
/** The pairs of 5,000 containers take `ip` some seconds. */
const SET_UP_MS = 300_000;

/** The built daemon on a host whose containers all live, in a cluster that is there already. */
export async function measurePolicyStart(
  cluster: PolicyCluster,
  rounds: number,
  progress: (line: string) => void,
): Promise<PolicyStart> {
  const fabric = await startFabric();
  const host = await startLabHost('policy');
  try {
    await fabric.attach(host, 1);
    await host.spawn('etcd', [
      '--data-dir',
      join(host.dir, 'etcd'),
      '--quota-backend-bytes',
      '4294967296',
    ]);
    // Not a part of the first round.
    ensureBuilt();
    await populate(host, cluster);
    progress('policy: the cluster is in etcd');
    await addPairs(host, cluster.locals);
    progress('policy: the containers of the host have their interfaces');
    const found: Started[] = [];
    for (let round = 0; round < rounds; round += 1) {
      found.push(await startOnce(host, cluster));
      progress(`policy: in sync after ${((found.at(-1)?.ms ?? 0) / 1000).toFixed(1)} s`);
    }
    const of = (pick: (one: Started) => number): number => median(found.map(pick));
    return {
      ...cluster,
      inSyncMs: of((one) => one.ms),
      inSyncMsRounds: found.map((one) => one.ms),
      cpuMs: of((one) => one.cpuMs),
      restMiB: of((one) => one.restMiB),
      peakMiB: of((one) => one.peakMiB),
    };
  } finally {
    await host.stop();
    await fabric.stop();
  }
}

async function populate(host: LabHost, cluster: PolicyCluster): Promise<void> {
  const program = fileURLToPath(new URL('policy-populate.ts', import.meta.url));
  const { locals, remotes, policies } = cluster;
  const counts = [locals, remotes, policies].map(String);
  const args = [...process.execArgv, program, ETCD, host.name, ...counts];
  await host.must(process.execPath, args, { timeoutMs: SET_UP_MS });
}

async function addPairs(host: LabHost, count: number): Promise<void> {
  const names = Array.from({ length: count }, (_, at) => `x${at}`);
  const stdin = names
    .map(
      (name) =>
        `link add ${interfaceOf(name)} up type veth peer name t${name}\nlink set t${name} up\n`,
    )
    .join('');
  await host.must('ip', ['-batch', '-'], { stdin, timeoutMs: SET_UP_MS });
}

interface Started {
  readonly ms: number;
  readonly cpuMs: number;
  readonly restMiB: number;
  readonly peakMiB: number;
}

async function startOnce(host: LabHost, { locals, remotes }: PolicyCluster): Promise<Started> {
  const begin = performance.now();
  const env = {
    DATASTORE_TYPE: 'etcdv3',
    ETCD_ENDPOINTS: ETCD,
    CALICO_LIBNETWORK_RECLAIM: 'off',
    CALICO_NETWORKING_BACKEND: 'none',
  };
  const daemon = await startPluginDaemon(host, { env, wait: false });
  const client = createAdminClient(host.path('/run/calico/admin.sock'));
  const isThere = async (): Promise<boolean> => {
    const { agent } = (await client.status().catch(() => ({}))) as DaemonStatus;
    const all = agent?.policy.endpoints === locals + remotes && agent.policy.locals === locals;
    return all && agent.state === 'in-sync';
  };
  while (!(await isThere())) {
    if (performance.now() - begin > BOUND_MS)
      throw new Error(`not in sync within ${BOUND_MS / 1000} s`);
    // Each look is work of the daemon's.
    await delay(200);
  }
  const ms = performance.now() - begin;
  const proc = (file: string): string =>
    readFileSync(`/proc/${daemon.process.pid}/${file}`, 'utf8');
  const cpuMs = cpuOf(proc('stat'));
  await delay(REST_MS);
  const mib = (name: string): number =>
    Number(new RegExp(`^${name}:\\s+(\\d+)`, 'm').exec(proc('status'))?.[1]) / 1024;
  const result = { ms, cpuMs, restMiB: mib('VmRSS'), peakMiB: mib('VmHWM') };
  await daemon.stop();
  return result;
}

interface DaemonStatus {
  readonly agent?: {
    readonly state: string;
    readonly policy: { readonly endpoints: number; readonly locals: number };
  };
}

/** User and system time in milliseconds; the kernel tells hundredths of a second. */
function cpuOf(stat: string): number {
  const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ');
  return (Number(fields[11]) + Number(fields[12])) * 10;
}
