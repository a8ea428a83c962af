// The data of a chart: the server sends it with its SVG, and the browser draws an interactive chart from it.

type ChartTimeAxis = {
  /** Start of the first bin, epoch milliseconds. */
  readonly startMs: number;
  readonly stepMs: number;
};

/** Lines with one value for each bin, null if nothing was measured. */
export type LineChartData = ChartTimeAxis & { readonly lines: readonly (readonly (number | null)[])[] };

/** Requests by bin and latency bucket. `cells` holds triples: bin, bucket, count. */
export type HeatmapData = ChartTimeAxis & { readonly steps: number; readonly cells: readonly number[] };

/** Fewer rows would turn each bucket into a stripe. */
const minVisibleBuckets = 16;

/** Range of buckets shown, end exclusive: the used ones and one empty bucket on either side. */
export function visibleBuckets(
  { cells }: HeatmapData,
  bucketCount: number,
): readonly [first: number, end: number] {
  const buckets = cells.filter((_, index) => index % 3 === 1);
  if (buckets.length === 0) return [0, minVisibleBuckets];
  const first = Math.max(0, Math.min(...buckets) - 1);
  const end = Math.min(bucketCount, Math.max(...buckets) + 2);
  return [
    Math.max(0, Math.min(first, end - minVisibleBuckets)),
    Math.max(end, Math.min(bucketCount, first + minVisibleBuckets)),
  ];
}

/** More shades would be hard to distinguish. */
export const shadeCount = 5;

/** The shade of a count, 1 (faintest) to `shadeCount`. Its square root keeps a few slow requests visible. */
export function shadeOf(count: number, max: number): number {
  return Math.min(shadeCount, Math.max(1, Math.ceil(Math.sqrt(count / max) * shadeCount)));
}
