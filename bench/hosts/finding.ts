import { bootstrap, median, type Interval } from '../statistics.js';

/** One thing that was measured between hosts, and what is promised of it. */
export interface HostFinding {
  readonly name: string;
  readonly unit: string;
  /** Median of the samples, or their ratio, with its 90 % interval. */
  readonly value: Interval;
  readonly bound: number;
  readonly direction: 'at most' | 'at least';
  readonly samples: readonly number[];
  /** What else is to be known of it. */
  readonly notes?: readonly string[];
}

type Promised = Pick<HostFinding, 'name' | 'unit' | 'bound' | 'direction'> &
  Partial<Pick<HostFinding, 'notes'>>;

/** The median of the samples. */
export function finding(promised: Promised, samples: readonly number[]): HostFinding {
  return { ...promised, value: bootstrap(samples, median), samples };
}

/** Median of the ratios of pairs that were measured one after the other. */
export function ratioFinding(
  promised: Promised,
  pairs: readonly (readonly [ours: number, other: number])[],
): HostFinding {
  return finding(
    promised,
    pairs.map(([ours, other]) => ours / other),
  );
}
