import { engineObstacle, IMAGE, startEngine, type Engine } from '../test/fixtures/docker-engine.js';
import { connectDocker, type DockerApi } from './docker-api.js';
import { SUBNET } from './load-target.js';
import { bootstrap, median, type Interval } from './statistics.js';

/** Milliseconds of one container on one network, by single calls of the Docker API. */
interface Sample {
  readonly create: number;
  readonly start: number;
  readonly stop: number;
  readonly remove: number;
}

export interface ContainerResult {
  readonly network: string;
  readonly start: number;
  readonly stop: number;
  /** Median over the rounds of the difference to `--net none` in the same round, with its 90 % interval. */
  readonly addedStart: Interval;
  readonly addedStop: Interval;
  readonly addedStartStop: Interval;
}

export interface ContainerReport {
  readonly rounds: number;
  readonly networks: readonly ContainerResult[];
  /** Ratio of two networks' added times with its 90 % interval, such as `ours / userbridge, start`. */
  readonly ratios: Readonly<Record<string, Interval>>;
}

type Round = Readonly<Record<string, Sample>>;

/** Other names than the predecessor's, because both serve one dockerd. */
const OURS = { network: 'bench', ipam: 'bench-ipam' };
const PEER_ETCD = 'http://127.0.0.1:22379';

async function oneContainer(docker: DockerApi, network: string): Promise<Sample> {
  const timed = async (
    method: string,
    path: string,
    body?: unknown,
  ): Promise<[number, Record<string, unknown>]> => {
    const begin = performance.now();
    const answer = await docker.call(method, path, body);
    return [performance.now() - begin, answer];
  };
  const config = { Image: IMAGE, Cmd: ['sleep', '1000'], HostConfig: { NetworkMode: network } };
  const [create, container] = await timed('POST', '/containers/create', config);
  const path = `/containers/${String(container['Id'])}`;
  const [start] = await timed('POST', `${path}/start`);
  const [stop] = await timed('POST', `${path}/stop?t=0`);
  const [remove] = await timed('DELETE', path);
  return { create, start, stop, remove };
}

async function createNetwork(
  docker: DockerApi,
  name: string,
  driver: string,
  ipam?: string,
  subnet?: string,
): Promise<void> {
  const config = {
    Driver: ipam ?? 'default',
    Config: subnet === undefined ? [] : [{ Subnet: subnet }],
  };
  await docker.call('POST', '/networks/create', {
    Name: name,
    Driver: driver,
    CheckDuplicate: true,
    IPAM: config,
  });
}

/** The predecessor beside our daemon on one host: an etcd of its own, and no IPv6, which it cannot start under. */
async function startPeer(engine: Engine, program: string): Promise<void> {
  const { host } = engine;
  for (const scope of ['all', 'default'])
    await host.must('sysctl', ['-qw', `net.ipv6.conf.${scope}.disable_ipv6=1`]);
  await host.spawn('etcd', [
    ...[
      '--name',
      'peer',
      '--data-dir',
      `${host.dir}/etcd-peer`,
      '--initial-cluster',
      'peer=http://127.0.0.1:22380',
    ],
    ...['--listen-client-urls', PEER_ETCD, '--advertise-client-urls', PEER_ETCD],
    ...[
      '--listen-peer-urls',
      'http://127.0.0.1:22380',
      '--initial-advertise-peer-urls',
      'http://127.0.0.1:22380',
    ],
  ]);
  await putPool(engine, PEER_ETCD, '10.44.0.0/14');
  await host.spawn(program, [], {
    env: { DATASTORE_TYPE: 'etcdv3', ETCD_ENDPOINTS: PEER_ETCD, NODENAME: 'peer' },
  });
}

async function putPool(engine: Engine, endpoint: string, cidr: string): Promise<void> {
  const pool = {
    kind: 'IPPool',
    apiVersion: 'projectcalico.org/v3',
    metadata: {
      name: 'bench',
      uid: '8d5d9cbb-9f80-4a3e-94b5-6f43a5b5c001',
      creationTimestamp: '2026-01-01T00:00:00Z',
    },
    spec: {
      cidr,
      vxlanMode: 'Never',
      ipipMode: 'Never',
      natOutgoing: false,
      blockSize: 26,
      nodeSelector: 'all()',
    },
  };
  const env = { ETCDCTL_API: '3', ETCDCTL_ENDPOINTS: endpoint };
  for (
    let tries = 0;
    (await engine.run('etcdctl', ['endpoint', 'health'], { env })).status !== 0;
    tries += 1
  ) {
    if (tries === 20) throw new Error(`no etcd at ${endpoint}`);
  }
  await engine.host.must(
    'etcdctl',
    ['put', '/calico/resources/v3/projectcalico.org/ippools/bench', JSON.stringify(pool)],
    { env },
  );
}

export interface ContainerPlan {
  readonly rounds: number;
  readonly peer: string | undefined;
  readonly progress: (line: string) => void;
}

/** Real containers through a real dockerd 20.10, every network once a round in rotated order. */
export async function measureContainers(plan: ContainerPlan): Promise<ContainerReport> {
  const obstacle = engineObstacle('20.10');
  if (obstacle !== undefined) throw new Error(`real containers cannot be measured: ${obstacle}`);
  // A global driver, as the predecessor is one, needs a cluster store on this engine; ours adapts to it.
  const engine = await startEngine({ etcd: true, clusterStore: 'etcd://127.0.0.1:2379' });
  try {
    await putPool(engine, 'http://127.0.0.1:2379', SUBNET);
    await engine.startDaemon({
      env: {
        DATASTORE_TYPE: 'etcdv3',
        ETCD_ENDPOINTS: 'http://127.0.0.1:2379',
        NO_DEFAULT_POOLS: 'true',
      },
      drivers: OURS,
    });
    if (plan.peer !== undefined) await startPeer(engine, plan.peer);
    const docker = connectDocker(engine.host.path('/run/docker.sock'));
    try {
      return await measureOn(docker, plan);
    } finally {
      docker.close();
    }
  } finally {
    await engine.stop();
  }
}

async function measureOn(docker: DockerApi, plan: ContainerPlan): Promise<ContainerReport> {
  await createNetwork(docker, 'userbridge', 'bridge');
  await createNetwork(docker, 'ours', OURS.network, OURS.ipam, SUBNET);
  const names = ['none', 'bridge', 'userbridge', 'ours'];
  if (plan.peer !== undefined) {
    await createNetwork(docker, 'peer', 'calico', 'calico-ipam', '10.44.0.0/14');
    names.push('peer');
  }
  const rounds: Round[] = [];
  const warmUp = 3;
  for (let round = -warmUp; round < plan.rounds; round += 1) {
    const shift = (round + warmUp) % names.length;
    const order = [...names.slice(shift), ...names.slice(0, shift)];
    const samples: Record<string, Sample> = {};
    for (const name of order) samples[name] = await oneContainer(docker, name);
    if (round >= 0) rounds.push(samples);
    if (round >= 0 && (round + 1) % 10 === 0)
      plan.progress(`containers: round ${round + 1} of ${plan.rounds}`);
  }
  return summarize(names, rounds);
}

const pick: Readonly<Record<string, (sample: Sample) => number>> = {
  start: (sample) => sample.start,
  stop: (sample) => sample.stop,
  'start+stop': (sample) => sample.start + sample.stop,
};

/** Median of what a network adds to `--net none`, pairwise per round: the load of the machine cancels out. */
function added(rounds: readonly Round[], network: string, what: string): number {
  const value = pick[what] ?? (() => Number.NaN);
  const of = (round: Round, name: string): number => {
    const sample = round[name];
    return sample === undefined ? Number.NaN : value(sample);
  };
  return median(rounds.map((round) => of(round, network) - of(round, 'none')));
}

function summarize(names: readonly string[], rounds: readonly Round[]): ContainerReport {
  const interval = (network: string, what: string): Interval =>
    bootstrap(rounds, (some) => added(some, network, what));
  const networks = names.map((network) => ({
    network,
    start: median(rounds.map((round) => round[network]?.start ?? Number.NaN)),
    stop: median(rounds.map((round) => round[network]?.stop ?? Number.NaN)),
    addedStart: interval(network, 'start'),
    addedStop: interval(network, 'stop'),
    addedStartStop: interval(network, 'start+stop'),
  }));
  const ratios: Record<string, Interval> = {};
  for (const other of ['userbridge', 'peer'].filter((name) => names.includes(name))) {
    for (const what of Object.keys(pick)) {
      ratios[`ours / ${other}, ${what}`] = bootstrap(
        rounds,
        (some) => added(some, 'ours', what) / added(some, other, what),
      );
    }
  }
  return { rounds: rounds.length, networks, ratios };
}
