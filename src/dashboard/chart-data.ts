// What a chart on a page is drawn from; the server puts it beside its own drawing, the browser draws it anew.

type ChartTimeAxis = {
  /** When the first step began, epoch milliseconds. */
  readonly startMs: number;
  readonly stepMs: number;
};

/** Lines over time, a value a step; null where there is none. */
export type LineChartData = ChartTimeAxis & { readonly lines: readonly (readonly (number | null)[])[] };

/** How many requests took how long in which step: step, bucket, count, step, bucket, count. */
export type HeatmapData = ChartTimeAxis & { readonly steps: number; readonly cells: readonly number[] };

/** Buckets shown, from the lowest to the highest that anything was in: at least so many, so that one is no stripe. */
const minBuckets = 16;

/** The first bucket shown, and the one after the last. */
export function visibleBuckets(
  { cells }: HeatmapData,
  bucketCount: number,
): readonly [from: number, to: number] {
  const buckets = cells.filter((_, index) => index % 3 === 1);
  const from = Math.max(0, Math.min(...buckets, bucketCount) - 1);
  const to = Math.min(bucketCount, Math.max(...buckets, 0) + 2);
  if (buckets.length === 0) return [0, minBuckets];
  return [
    Math.max(0, Math.min(from, to - minBuckets)),
    Math.max(to, Math.min(bucketCount, from + minBuckets)),
  ];
}

/** Shades told apart by eye, the faintest first. */
export const shadeCount = 5;

/** Which shade a count has against the largest; by its root, so that few slow ones among many quick ones are seen. */
export function shadeOf(count: number, most: number): number {
  return Math.min(shadeCount, Math.max(1, Math.ceil(Math.sqrt(count / most) * shadeCount)));
}
