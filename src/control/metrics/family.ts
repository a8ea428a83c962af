// A metric family: one name, with its samples by labels.

/** Limit of series by task, and by service and node; above it those series are left out. */
export const maxSeries = 2_000;

/** Values are in base units: seconds, bytes, ratios of 0 to 1. */
export type MetricFamily = {
  /** `waggle_…`; a counter's name ends in `_total`. */
  readonly name: string;
  /** A sentence without a final period. */
  readonly help: string;
  readonly type: "counter" | "gauge" | "histogram";
  readonly values: readonly MetricSample[];
};

export type MetricSample = {
  readonly labels: MetricLabels;
  readonly value: number;
  /** For a histogram: `NAME_bucket`, `NAME_sum`, `NAME_count`. */
  readonly metricName?: string;
};

export type MetricLabels = Readonly<Record<string, string>>;

export function gaugeFamily(name: string, help: string, values: readonly MetricSample[]): MetricFamily {
  return { name, help, type: "gauge", values };
}

export function counterFamily(name: string, help: string, values: readonly MetricSample[]): MetricFamily {
  return { name, help, type: "counter", values };
}

export function sample(value: number, labels: MetricLabels = {}): MetricSample {
  return { labels, value };
}
