import type { HostFinding } from './finding.js';
import { measureMesh } from './mesh.js';
import { measurePropagation } from './propagation.js';
import { measureScale } from './scale.js';
import { measureThroughput } from './throughput.js';

export type { HostFinding } from './finding.js';

export interface HostsPlan {
  /** Pairs, or samples, of each measurement. */
  readonly rounds: number;
  /** Containers whose first ping is counted. */
  readonly starts: number;
  readonly progress: (line: string) => void;
}

/** Everything that happens between hosts. */
export async function measureHosts(plan: HostsPlan): Promise<readonly HostFinding[]> {
  const { rounds, starts, progress } = plan;
  return [
    ...(await measurePropagation(rounds, starts, progress)),
    await measureMesh(rounds, progress),
    ...(await measureScale(rounds, progress)),
    ...(await measureThroughput(rounds, progress)),
  ];
}
