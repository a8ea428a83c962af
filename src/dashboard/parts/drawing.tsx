// Drawings as the server makes them, for who has no script: lines and heat maps as SVG, without a style of their own.

import { boundsMs, bucketCount } from "../../telemetry/histogram.ts";
import { type HeatData, heatRange, type LineData, shadeOf, shades } from "../chart-data.ts";
import { milliseconds } from "../text.ts";

const height = 100;

/** A small line without axes, for beside its number. */
export function Sparkline({ values }: { values: readonly number[] }) {
  if (values.length < 2) return null;
  return (
    <svg
      class="spark"
      viewBox={`0 0 ${values.length - 1} ${height}`}
      preserveAspectRatio="none"
      aria-hidden="true"
    >
      <path d={linePath(values, Math.max(...values))} vector-effect="non-scaling-stroke" />
    </svg>
  );
}

/** @param words what stands at the top of the drawing */
export function Lines({ data, words }: { data: LineData; words: (value: number) => string }) {
  const most = Math.max(...data.lines.flat().map((value) => value ?? 0));
  const steps = data.lines[0]?.length ?? 0;
  return (
    <div class="drawing">
      <span class="most">{words(most)}</span>
      <svg viewBox={`0 0 ${Math.max(1, steps - 1)} ${height}`} preserveAspectRatio="none" aria-hidden="true">
        {data.lines.map((line, index) => (
          <path class={`line-${index + 1}`} d={linePath(line, most)} vector-effect="non-scaling-stroke" />
        ))}
      </svg>
      <Times startMs={data.startMs} endMs={data.startMs + steps * data.stepMs} />
    </div>
  );
}

export function Heat({ data }: { data: HeatData }) {
  const [from, to] = heatRange(data, bucketCount);
  const paths = shadePaths(data, to);
  return (
    <div class="drawing">
      <span class="most">{milliseconds(boundsMs[Math.min(to, boundsMs.length) - 1] ?? 0)}</span>
      <svg viewBox={`0 0 ${data.steps} ${to - from}`} preserveAspectRatio="none" aria-hidden="true">
        {paths.map((path, shade) => path !== "" && <path class={`shade-${shade + 1}`} d={path} />)}
      </svg>
      <Times startMs={data.startMs} endMs={data.startMs + data.steps * data.stepMs} />
    </div>
  );
}

/** One path a shade: a cell each is ten times as long. */
function shadePaths({ cells }: HeatData, to: number): readonly string[] {
  const most = Math.max(1, ...cells.filter((_, index) => index % 3 === 2));
  const paths = Array.from({ length: shades }, () => "");
  for (let at = 0; at < cells.length; at += 3) {
    const [step = 0, bucket = 0, many = 0] = cells.slice(at, at + 3);
    const shade = shadeOf(many, most) - 1;
    paths[shade] += `M${step} ${to - bucket - 1}h.9v.9h-.9z`;
  }
  return paths;
}

function Times({ startMs, endMs }: { startMs: number; endMs: number }) {
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
    const y = most === 0 ? height : Math.round((1 - value / most) * height * 10) / 10;
    const before = values[index - 1] ?? null;
    path += before === null ? `M${index} ${y}` : `L${index} ${y}`;
    if (before === null && (values[index + 1] ?? null) === null) path += "h.2";
  });
  return path;
}
