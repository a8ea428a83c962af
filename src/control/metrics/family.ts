// A family of metrics: one name, and its values by labels.

/** Slots and servers, or pairs of service and node, told of one by one; where there are more, none is. */
export const maxSeries = 2_000;

/** Times, bytes and shares in base units: seconds, bytes, 0 to 1. */
export type MetricFamily = {
  /** `waggle_…`; a counter ends in `_total`. */
  readonly name: string;
  /** A sentence without a full stop. */
  readonly help: string;
  readonly type: "counter" | "gauge" | "histogram";
  readonly values: readonly MetricSample[];
};

export type MetricSample = {
  readonly labels: MetricLabels;
  readonly value: number;
  /** Of a histogram: `NAME_bucket`, `NAME_sum`, `NAME_count`. */
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
