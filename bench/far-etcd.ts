import type { Fabric } from '../test/fixtures/fabric.js';
import { startTarget } from './load-target.js';
import { runCycles, type CycleTimes } from './plugin-cycle.js';
import { median } from './statistics.js';

/** Medians in milliseconds with etcd that far away, and next door. */
export interface FarEtcdReport {
  readonly roundTripMs: number;
  readonly startMs: number;
  readonly stopMs: number;
  readonly nearStartMs: number;
  readonly nearStopMs: number;
}

/** One container at a time, with etcd `roundTripMs` away. */
export async function measureFarEtcd(
  fabric: Fabric,
  roundTripMs: number,
  cycles: number,
): Promise<FarEtcdReport> {
  let target = await startTarget({ kind: 'ours', fabric, indexes: [1] });
  const run = async (): Promise<CycleTimes[]> => {
    // A program that has just started is slower.
    await runCycles(target.load, 20, 20);
    return runCycles(target.load, cycles, 1);
  };
  try {
    const near = await run();
    target = await target.restartWithDelay(roundTripMs);
    const far = await run();
    return {
      roundTripMs,
      startMs: median(far.map(({ start }) => start)),
      stopMs: median(far.map(({ stop }) => stop)),
      nearStartMs: median(near.map(({ start }) => start)),
      nearStopMs: median(near.map(({ stop }) => stop)),
    };
  } finally {
    await target.stop();
  }
}
