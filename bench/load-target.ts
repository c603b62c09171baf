import { join } from 'node:path';
import { readFileSync } from 'node:fs';
import { fabricAddress, type Fabric } from '../test/fixtures/fabric.js';
import { putKey, startLabEtcd } from '../test/fixtures/lab-etcd.js';
import { startLabHost, type LabHost } from '../test/fixtures/lab-host.js';
import { waitFor, type LabProcess } from '../test/fixtures/lab-process.js';
import { IPAM_SOCKET, NETWORK_SOCKET, startPluginDaemon } from '../test/fixtures/plugin-daemon.js';
import { createEngineClient } from '../test/fixtures/engine-client.js';
import { serveContainerListing } from './container-listing.js';
import { closeNetwork, newId, openNetwork, type LoadNetwork } from './plugin-cycle.js';

export type TargetKind = 'ours' | 'peer';

/** A plugin pair in a lab host of its own, with etcd members of its own. */
export interface LoadTarget {
  readonly name: TargetKind;
  readonly host: LabHost;
  readonly load: LoadNetwork;
  pid(): number;
  /** Requests that etcd's members have answered so far, by kind. */
  etcdRequests(): Promise<Readonly<Record<string, number>>>;
  rssMiB(): number;
  cpuSeconds(): number;
  /** A second plugin pair of this kind, on the host of the second etcd member, with a network on the same pool. */
  beside(): Promise<LoadTarget>;
  /** Kills the plugin and starts it again on what is there; milliseconds until both sockets answer. */
  killAndStart(): Promise<number>;
  /** The same programs again, with etcd this many milliseconds away. */
  restartWithDelay(roundTripMs: number): Promise<LoadTarget>;
  stop(): Promise<void>;
}

export interface TargetOptions {
  readonly kind: TargetKind;
  readonly fabric: Fabric;
  /** Numbers of its hosts on the segment: one per etcd member, the plugin on the first. */
  readonly indexes: readonly number[];
  /** Path of the predecessor's program. */
  readonly program?: string;
  /** Of the pool; Calico's 26 unless told. */
  readonly blockSize?: number;
}

export const SUBNET = '10.40.0.0/14';

/** What exists before the first network: the pool, and a ClusterInformation that says the datastore is ready. */
function prepared(blockSize: number): [string, object][] {
  const prefix = '/calico/resources/v3/projectcalico.org';
  const metadata = (name: string): object => ({
    name,
    uid: '8d5d9cbb-9f80-4a3e-94b5-6f43a5b5c001',
    creationTimestamp: '2026-01-01T00:00:00Z',
  });
  const common = { apiVersion: 'projectcalico.org/v3' };
  return [
    [
      `${prefix}/ippools/load`,
      {
        kind: 'IPPool',
        ...common,
        metadata: metadata('load'),
        spec: {
          cidr: SUBNET,
          vxlanMode: 'Never',
          ipipMode: 'Never',
          natOutgoing: false,
          blockSize,
          nodeSelector: 'all()',
        },
      },
    ],
    [
      `${prefix}/clusterinformations/default`,
      {
        kind: 'ClusterInformation',
        ...common,
        metadata: metadata('default'),
        spec: { clusterGUID: '9e7b8a6875454046bb0e0e3e31c325b1', datastoreReady: true },
      },
    ],
  ];
}

async function startPlugin(
  options: TargetOptions,
  host: LabHost,
  endpoint: string,
): Promise<LabProcess> {
  const env = { DATASTORE_TYPE: 'etcdv3', ETCD_ENDPOINTS: endpoint, NODENAME: host.name };
  if (options.kind === 'ours') {
    const extra = {
      CALICO_LIBNETWORK_RECLAIM: 'off',
      IP: fabricAddress(options.indexes[0] ?? 0),
      NO_DEFAULT_POOLS: 'true',
    };
    return (await startPluginDaemon(host, { env: { ...env, ...extra } })).process;
  }
  const plugin = await host.spawn(options.program ?? 'eru-minions', [], {
    env: { ...env, DOCKER_HOST: 'unix:///run/docker.sock' },
  });
  for (const socket of [NETWORK_SOCKET, IPAM_SOCKET]) {
    const client = createEngineClient(host.path(socket));
    await waitFor('the peer to answer', async () => {
      if (!plugin.running()) throw new Error(`the peer ended:\n${plugin.log().slice(-2000)}`);
      return client.raw('Plugin.Activate').then(
        (answer) => answer.status === 200,
        () => false,
      );
    });
    client.close();
  }
  return plugin;
}

export async function startTarget(options: TargetOptions): Promise<LoadTarget> {
  const hosts: LabHost[] = [];
  for (const index of options.indexes) {
    const host = await startLabHost(`${options.kind}${index}`);
    hosts.push(host);
    await options.fabric.attach(host, index);
  }
  await startLabEtcd(hosts.map((host, at) => ({ host, index: options.indexes[at] ?? 0 })));
  const [first] = hosts;
  if (first === undefined) throw new Error('a target has at least one host');
  for (const [key, value] of prepared(options.blockSize ?? 26)) await putKey(first, key, value);
  return attach(options, hosts, 'http://127.0.0.1:2379');
}

async function attach(
  options: TargetOptions,
  hosts: readonly LabHost[],
  endpoint: string,
): Promise<LoadTarget> {
  const [host] = hosts;
  if (host === undefined) throw new Error('a target has at least one host');
  const networkId = newId();
  const listing =
    options.kind === 'peer'
      ? await serveContainerListing(host.path('/run/docker.sock'), networkId)
      : undefined;
  let plugin = await startPlugin(options, host, endpoint);
  const sockets = { network: host.path(NETWORK_SOCKET), ipam: host.path(IPAM_SOCKET) };
  const load = await openNetwork(sockets, SUBNET, networkId, listing);
  const proc = (file: string): string => readFileSync(`/proc/${plugin.pid}/${file}`, 'utf8');
  const end = async (): Promise<void> => {
    await closeNetwork(load);
    await plugin.end();
    listing?.close();
  };
  return {
    name: options.kind,
    host,
    load,
    pid: () => plugin.pid,
    etcdRequests: () => countRequests(hosts),
    rssMiB: () => Number(/^VmRSS:\s+(\d+)/m.exec(proc('status'))?.[1]) / 1024,
    cpuSeconds: () => {
      const fields = proc('stat')
        .replace(/^.*\) /s, '')
        .split(' ');
      return (Number(fields[11]) + Number(fields[12])) / 100;
    },
    beside: () =>
      attach({ ...options, indexes: options.indexes.slice(1) }, hosts.slice(1), endpoint),
    killAndStart: async () => {
      await plugin.end('SIGKILL');
      const begin = performance.now();
      plugin = await startPlugin(options, host, endpoint);
      return performance.now() - begin;
    },
    restartWithDelay: async (roundTripMs) => {
      await end();
      const proxy = await host.spawn(process.execPath, [
        '--import',
        import.meta.resolve('tsx'),
        join(import.meta.dirname, 'delay-proxy.ts'),
        '23790',
        '2379',
        String(roundTripMs),
      ]);
      await waitFor('the delaying proxy', () => proxy.log().includes('listening'));
      return attach(options, hosts, 'http://127.0.0.1:23790');
    },
    stop: async () => {
      listing?.close();
      load.network.close();
      load.ipam.close();
      await Promise.all(hosts.map((one) => one.stop()));
    },
  };
}

const HANDLED =
  /^grpc_server_handled_total\{.*grpc_method="([^"]+)",grpc_service="etcdserverpb\.[^"]+".*\} (\S+)/gm;

async function countRequests(hosts: readonly LabHost[]): Promise<Record<string, number>> {
  const sums: Record<string, number> = {};
  for (const host of hosts) {
    const text = await host.must('busybox', [
      'wget',
      '-q',
      '-O',
      '-',
      'http://127.0.0.1:2379/metrics',
    ]);
    for (const [, method = '', count] of text.matchAll(HANDLED))
      sums[method] = (sums[method] ?? 0) + Number(count);
  }
  return sums;
}
