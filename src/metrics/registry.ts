import PromCounter from 'prom-client/lib/counter.js';
import PromGauge from 'prom-client/lib/gauge.js';
import PromHistogram from 'prom-client/lib/histogram.js';
import PromRegistry from 'prom-client/lib/registry.js';
import { invariant } from '../base/index.js';

/** The last word of a series' name (Prometheus' base units). */
export type Unit = 'total' | 'seconds' | 'bytes' | 'count' | 'ratio' | 'info';

/** Becomes `calico_libnetwork_<room>_<what>_<unit>`. Rooms declare theirs in `<room>/metrics.ts`. */
export interface SeriesSpec<Label extends string = never> {
  readonly room: string;
  readonly what: string;
  readonly unit: Unit;
  /** One sentence for operators. */
  readonly help: string;
  /**
   * Values must come from a small closed list, or be the first so many of names that users give: never an
   * address, an endpoint or a container.
   */
  readonly labels?: readonly Label[];
}

/** Nothing for a series without labels, else one value for each. */
export type LabelValues<Label extends string> = [Label] extends [never]
  ? []
  : [labels: Readonly<Record<Label, string>>];

export interface Counter<Label extends string = never> {
  add(by: number, ...labels: LabelValues<Label>): void;
}

export interface Gauge<Label extends string = never> {
  set(value: number, ...labels: LabelValues<Label>): void;
}

export interface Histogram<Label extends string = never> {
  /** In the unit of the name: seconds, not milliseconds. */
  observe(value: number, ...labels: LabelValues<Label>): void;
}

/** One series of several, as it was read. */
export interface ReadValue<Label extends string> {
  readonly labels: Readonly<Record<Label, string>>;
  readonly value: number;
}

export interface Metrics {
  counter<Label extends string = never>(spec: SeriesSpec<Label>): Counter<Label>;
  gauge<Label extends string = never>(spec: SeriesSpec<Label>): Gauge<Label>;
  /** A gauge without labels that is read when somebody asks. */
  readGauge(spec: SeriesSpec, read: () => number): void;
  /** A counter whose values are kept elsewhere, and read when somebody asks; must not reject. */
  readCounter<Label extends string>(
    spec: SeriesSpec<Label>,
    read: () => Promise<readonly ReadValue<Label>[]>,
  ): void;
  /** Upper bounds ascending; 1 ms to 20 s unless told. */
  histogram<Label extends string = never>(
    spec: SeriesSpec<Label>,
    bounds?: readonly number[],
  ): Histogram<Label>;
  /** Adds Prometheus' `process_*` and `nodejs_*` series; loads more code. */
  includeProcess(): Promise<void>;
  /** Everything in Prometheus' text format. */
  render(): Promise<{ readonly contentType: string; readonly body: string }>;
}

/** From 1 ms (a kernel write) to 20 s (the bound of a call of Docker's). */
const SECONDS = [0.001, 0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1, 2, 5, 10, 20];

/** A registry of its own, never prom-client's global one. A name can be declared once. */
export function createMetrics(): Metrics {
  const registry = new PromRegistry();
  let process: Promise<void> | undefined;

  function config<Label extends string>(spec: SeriesSpec<Label>) {
    const name = seriesName(spec);
    invariant(!registry.getSingleMetric(name), `the series ${name} is declared once`);
    return { name, help: spec.help, labelNames: [...(spec.labels ?? [])], registers: [registry] };
  }

  return {
    counter: <Label extends string>(spec: SeriesSpec<Label>): Counter<Label> => {
      const counter = new PromCounter<Label>(config(spec));
      return { add: (by, ...[labels]) => (labels ? counter.inc(labels, by) : counter.inc(by)) };
    },
    gauge: <Label extends string>(spec: SeriesSpec<Label>): Gauge<Label> => {
      const gauge = new PromGauge<Label>(config(spec));
      return {
        set: (value, ...[labels]) => (labels ? gauge.set(labels, value) : gauge.set(value)),
      };
    },
    readGauge: (spec, read) => {
      const gauge: PromGauge = new PromGauge({ ...config(spec), collect: () => gauge.set(read()) });
    },
    readCounter: <Label extends string>(
      spec: SeriesSpec<Label>,
      read: () => Promise<readonly ReadValue<Label>[]>,
    ): void => {
      const collect = async (): Promise<void> => {
        const values = await read();
        counter.reset();
        for (const { labels, value } of values) counter.inc(labels, value);
      };
      const counter: PromCounter<Label> = new PromCounter<Label>({ ...config(spec), collect });
    },
    histogram: <Label extends string>(
      spec: SeriesSpec<Label>,
      bounds: readonly number[] = SECONDS,
    ): Histogram<Label> => {
      const histogram = new PromHistogram<Label>({ ...config(spec), buckets: [...bounds] });
      return {
        observe: (value, ...[labels]) =>
          labels ? histogram.observe(labels, value) : histogram.observe(value),
      };
    },
    includeProcess: () => {
      process ??= import('prom-client/lib/defaultMetrics.js').then(({ default: collect }) =>
        collect({ register: registry }),
      );
      return process;
    },
    render: async () => ({ contentType: registry.contentType, body: await registry.metrics() }),
  };
}

const WORDS = /^[a-z][a-z0-9]*(_[a-z0-9]+)*$/;

function seriesName<Label extends string>({ room, what, unit }: SeriesSpec<Label>): string {
  for (const part of [room, what]) {
    invariant(WORDS.test(part), `${JSON.stringify(part)} is lower case words joined by _`);
  }
  return `calico_libnetwork_${room}_${what}_${unit}`;
}
