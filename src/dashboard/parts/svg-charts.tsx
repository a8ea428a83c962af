// Charts as SVG, drawn by the server for browsers without JavaScript: sparklines, line charts and heatmaps.
// The style sheet colors them.

import { boundsMs, histogramBucketCount } from "../../telemetry/histogram.ts";
import { type HeatmapData, type LineChartData, shadeCount, shadeOf, visibleBuckets } from "../chart-data.ts";
import { formatMilliseconds } from "../text.ts";

const drawingHeight = 100;

/** A small line without axes. */
export function Sparkline({ values }: { values: readonly number[] }) {
  if (values.length < 2) return null;
  return (
    <svg
      class="spark"
      viewBox={`0 0 ${values.length - 1} ${drawingHeight}`}
      preserveAspectRatio="none"
      aria-hidden="true"
    >
      <path d={linePath(values, Math.max(...values))} vector-effect="non-scaling-stroke" />
    </svg>
  );
}

/** @param format of the maximum, which labels the top of the drawing */
export function LineChartSvg({ data, format }: { data: LineChartData; format: (value: number) => string }) {
  const max = Math.max(0, ...data.lines.flat().map((value) => value ?? 0));
  const steps = data.lines[0]?.length ?? 0;
  return (
    <div class="drawing">
      <span class="max-label">{format(max)}</span>
      <svg
        viewBox={`0 0 ${Math.max(1, steps - 1)} ${drawingHeight}`}
        preserveAspectRatio="none"
        aria-hidden="true"
      >
        {data.lines.map((line, index) => (
          <path class={`line-${index + 1}`} d={linePath(line, max)} vector-effect="non-scaling-stroke" />
        ))}
      </svg>
      <TimeLabels startMs={data.startMs} endMs={data.startMs + steps * data.stepMs} />
    </div>
  );
}

export function HeatmapSvg({ data }: { data: HeatmapData }) {
  const [firstBucket, endBucket] = visibleBuckets(data, histogramBucketCount);
  const paths = shadePaths(data, endBucket);
  const maxMs = boundsMs[Math.min(endBucket, boundsMs.length) - 1] ?? 0;
  return (
    <div class="drawing">
      <span class="max-label">{formatMilliseconds(maxMs)}</span>
      <svg
        viewBox={`0 0 ${data.steps} ${endBucket - firstBucket}`}
        preserveAspectRatio="none"
        aria-hidden="true"
      >
        {paths.map((path, shade) => path !== "" && <path class={`shade-${shade + 1}`} d={path} />)}
      </svg>
      <TimeLabels startMs={data.startMs} endMs={data.startMs + data.steps * data.stepMs} />
    </div>
  );
}

/** One path for each shade; one element for each cell would be ten times as long. */
function shadePaths({ cells }: HeatmapData, endBucket: number): readonly string[] {
  const max = Math.max(1, ...cells.filter((_, index) => index % 3 === 2));
  const paths = Array.from({ length: shadeCount }, () => "");
  for (let at = 0; at < cells.length; at += 3) {
    const [step = 0, bucket = 0, count = 0] = cells.slice(at, at + 3);
    const shade = shadeOf(count, max) - 1;
    paths[shade] += `M${step} ${endBucket - bucket - 1}h.9v.9h-.9z`;
  }
  return paths;
}

function TimeLabels({ startMs, endMs }: { startMs: number; endMs: number }) {
  const clock = (atMs: number) => new Date(atMs).toISOString().slice(11, 16);
  return (
    <p class="times">
      <span>{clock(startMs)}</span>
      <span>{clock(endMs)} UTC</span>
    </p>
  );
}

/** Connects values with straight lines. A null leaves a gap; a value between two gaps becomes a dot. */
function linePath(values: readonly (number | null)[], max: number): string {
  let path = "";
  values.forEach((value, index) => {
    if (value === null) return;
    const y = max === 0 ? drawingHeight : Math.round((1 - value / max) * drawingHeight * 10) / 10;
    const previous = values[index - 1] ?? null;
    path += previous === null ? `M${index} ${y}` : `L${index} ${y}`;
    if (previous === null && (values[index + 1] ?? null) === null) path += "h.2";
  });
  return path;
}
