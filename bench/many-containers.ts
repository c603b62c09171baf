import { startFabric, type Fabric } from '../test/fixtures/fabric.js';
import { measureFarEtcd, type FarEtcdReport } from './far-etcd.js';
import { measureScale, type ScaleReport } from './scale.js';
import { measureTwoHosts, type TwoHostsReport } from './two-hosts.js';

/** The part `scale`: many containers on one host, two hosts on one pool, etcd far away. */
export interface ManyContainersReport {
  readonly scale: ScaleReport;
  readonly twoHosts: readonly TwoHostsReport[];
  readonly farEtcd: FarEtcdReport;
}

export interface ManyContainersPlan {
  readonly peer: string | undefined;
  readonly members: number;
  readonly quick: boolean;
  readonly progress: (line: string) => void;
}

const FAR_MS = 20;

export async function measureManyContainers(
  plan: ManyContainersPlan,
): Promise<ManyContainersReport> {
  const { quick, progress } = plan;
  const scale = await onFabric((fabric) =>
    measureScale(fabric, {
      ...plan,
      rounds: quick ? 3 : 30,
      live: quick ? [40, 300] : [1000, 4000],
      warmUp: quick ? 40 : 1500,
    }),
  );
  const twoHosts = await onFabric((fabric) =>
    measureTwoHosts(fabric, {
      rounds: quick ? 1 : 5,
      cycles: quick ? 30 : 200,
      inFlight: [1, 8, 32],
      progress,
    }),
  );
  const farEtcd = await onFabric((fabric) => measureFarEtcd(fabric, FAR_MS, quick ? 10 : 60));
  progress('etcd far away measured');
  return { scale, twoHosts, farEtcd };
}

async function onFabric<T>(work: (fabric: Fabric) => Promise<T>): Promise<T> {
  const fabric = await startFabric();
  try {
    return await work(fabric);
  } finally {
    await fabric.stop();
  }
}
