// A family of metrics: one name, and its values by labels.

/** Slots and servers, or pairs of service and node, told of one by one; where there are more, none is. */
export const mostSeries = 2_000;

/** Times, bytes and shares in base units: seconds, bytes, 0 to 1. */
export type Family = {
  /** `waggle_…`; a counter ends in `_total`. */
  readonly name: string;
  /** A sentence without a full stop. */
  readonly help: string;
  readonly type: "counter" | "gauge" | "histogram";
  readonly values: readonly Sample[];
};

export type Sample = {
  readonly labels: Labels;
  readonly value: number;
  /** Of a histogram: `NAME_bucket`, `NAME_sum`, `NAME_count`. */
  readonly metricName?: string;
};

export type Labels = Readonly<Record<string, string>>;

export function gauge(name: string, help: string, values: readonly Sample[]): Family {
  return { name, help, type: "gauge", values };
}

export function counterFamily(name: string, help: string, values: readonly Sample[]): Family {
  return { name, help, type: "counter", values };
}

export function sample(value: number, labels: Labels = {}): Sample {
  return { labels, value };
}
