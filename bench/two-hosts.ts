import type { Fabric } from '../test/fixtures/fabric.js';
import { startTarget, type LoadTarget } from './load-target.js';
import { runCycles } from './plugin-cycle.js';
import { median } from './statistics.js';

/** Requests to etcd per container life: of one host alone, and of two hosts that share the pool. */
export interface TwoHostsReport {
  readonly inFlight: number;
  readonly requestsOfOne: number;
  readonly requestsOfTwo: number;
  readonly cyclesPerSecondOfOne: number;
  readonly cyclesPerSecondOfTwo: number;
}

export interface TwoHostsPlan {
  readonly rounds: number;
  readonly cycles: number;
  readonly inFlight: readonly number[];
  readonly progress: (line: string) => void;
}

interface Turn {
  readonly requests: number;
  readonly perSecond: number;
}

/** `cycles` lives on each of the hosts at once; requests are those that change or read keys. */
async function turn(hosts: readonly LoadTarget[], cycles: number, inFlight: number): Promise<Turn> {
  const [first] = hosts;
  if (first === undefined) throw new Error('no host to measure');
  const total = async (): Promise<number> => {
    const { Txn = 0, Range = 0, Put = 0, DeleteRange = 0 } = await first.etcdRequests();
    return Txn + Range + Put + DeleteRange;
  };
  const before = await total();
  const begin = performance.now();
  await Promise.all(hosts.map(({ load }) => runCycles(load, cycles, inFlight)));
  const seconds = (performance.now() - begin) / 1000;
  const made = cycles * hosts.length;
  return { requests: ((await total()) - before) / made, perSecond: made / seconds };
}

/** Two daemons on two hosts of one etcd cluster, and the first of them alone, in turn. */
export async function measureTwoHosts(
  fabric: Fabric,
  plan: TwoHostsPlan,
): Promise<readonly TwoHostsReport[]> {
  const first = await startTarget({ kind: 'ours', fabric, indexes: [1, 2] });
  try {
    const both = [first, await first.beside()];
    await turn(both, plan.cycles, 8);
    const reports: TwoHostsReport[] = [];
    for (const inFlight of plan.inFlight) {
      const [one, two]: [Turn[], Turn[]] = [[], []];
      for (let round = 0; round < plan.rounds; round += 1) {
        one.push(await turn([first], plan.cycles, inFlight));
        two.push(await turn(both, plan.cycles, inFlight));
      }
      reports.push({
        inFlight,
        requestsOfOne: median(one.map(({ requests }) => requests)),
        requestsOfTwo: median(two.map(({ requests }) => requests)),
        cyclesPerSecondOfOne: median(one.map(({ perSecond }) => perSecond)),
        cyclesPerSecondOfTwo: median(two.map(({ perSecond }) => perSecond)),
      });
      plan.progress(`two hosts, ${inFlight} in flight`);
    }
    return reports;
  } finally {
    await first.stop();
  }
}
