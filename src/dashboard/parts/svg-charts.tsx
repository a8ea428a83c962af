// Drawings as the server makes them, for who has no script: lines and heat maps as SVG, without a style of their own.

import { boundsMs, histogramBucketCount } from "../../telemetry/histogram.ts";
import { type HeatmapData, type LineChartData, shadeCount, shadeOf, visibleBuckets } from "../chart-data.ts";
import { formatMilliseconds } from "../text.ts";

const drawingHeight = 100;

/** A small line without axes, for beside its number. */
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

/** @param words what stands at the top of the drawing */
export function LineChartSvg({ data, words }: { data: LineChartData; words: (value: number) => string }) {
  const most = Math.max(...data.lines.flat().map((value) => value ?? 0));
  const steps = data.lines[0]?.length ?? 0;
  return (
    <div class="drawing">
      <span class="most">{words(most)}</span>
      <svg
        viewBox={`0 0 ${Math.max(1, steps - 1)} ${drawingHeight}`}
        preserveAspectRatio="none"
        aria-hidden="true"
      >
        {data.lines.map((line, index) => (
          <path class={`line-${index + 1}`} d={linePath(line, most)} vector-effect="non-scaling-stroke" />
        ))}
      </svg>
      <TimeLabels startMs={data.startMs} endMs={data.startMs + steps * data.stepMs} />
    </div>
  );
}

export function HeatmapSvg({ data }: { data: HeatmapData }) {
  const [from, to] = visibleBuckets(data, histogramBucketCount);
  const paths = shadePaths(data, to);
  return (
    <div class="drawing">
      <span class="most">{formatMilliseconds(boundsMs[Math.min(to, boundsMs.length) - 1] ?? 0)}</span>
      <svg viewBox={`0 0 ${data.steps} ${to - from}`} preserveAspectRatio="none" aria-hidden="true">
        {paths.map((path, shade) => path !== "" && <path class={`shade-${shade + 1}`} d={path} />)}
      </svg>
      <TimeLabels startMs={data.startMs} endMs={data.startMs + data.steps * data.stepMs} />
    </div>
  );
}

/** One path a shade: a cell each is ten times as long. */
function shadePaths({ cells }: HeatmapData, to: number): readonly string[] {
  const most = Math.max(1, ...cells.filter((_, index) => index % 3 === 2));
  const paths = Array.from({ length: shadeCount }, () => "");
  for (let at = 0; at < cells.length; at += 3) {
    const [step = 0, bucket = 0, many = 0] = cells.slice(at, at + 3);
    const shade = shadeOf(many, most) - 1;
    paths[shade] += `M${step} ${to - bucket - 1}h.9v.9h-.9z`;
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

/** Straight from value to value; a gap where there is none, a dot for one alone. */
function linePath(values: readonly (number | null)[], most: number): string {
  let path = "";
  values.forEach((value, index) => {
    if (value === null) return;
    const y = most === 0 ? drawingHeight : Math.round((1 - value / most) * drawingHeight * 10) / 10;
    const before = values[index - 1] ?? null;
    path += before === null ? `M${index} ${y}` : `L${index} ${y}`;
    if (before === null && (values[index + 1] ?? null) === null) path += "h.2";
  });
  return path;
}
