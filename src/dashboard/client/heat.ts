// The heat map: how many requests took how long, over time.

import uPlot from "uplot";
import { boundsMs, bucketCount } from "../../telemetry/histogram.ts";
import { type HeatData, heatRange, shadeOf, shades } from "../chart-data.ts";
import { count, milliseconds } from "../text.ts";
import type { Drawn } from "./charts.ts";
import { clock, colour, plotHeight, plotPadding, timeAxis, utc, valueAxis } from "./theme.ts";

export function drawHeat(figure: HTMLElement, place: HTMLElement): Drawn {
  let data = dataOf(figure);
  const readout = document.createElement("p");
  readout.className = "readout";
  const plot = new uPlot(
    {
      width: place.clientWidth,
      height: plotHeight,
      padding: plotPadding,
      tzDate: utc,
      scales: {
        x: { range: () => [data.startMs / 1_000, endOf(data)] },
        // Rows are buckets: even on the screen, as their bounds grow evenly.
        y: { range: () => [...heatRange(data, bucketCount)] },
      },
      axes: [timeAxis(), { ...valueAxis((row) => milliseconds(lowerMs(row))), incrs: [4, 8, 16], space: 24 }],
      series: [{}, { show: true, paths: () => null, points: { show: false } }],
      legend: { show: false },
      cursor: { drag: { setScale: false, x: false }, points: { show: false } },
      hooks: {
        draw: [(own) => drawCells(own, data)],
        setCursor: [(own) => show(readout, wordsAt(own, data))],
      },
    },
    alignedOf(data),
    place,
  );
  place.append(readout);
  show(readout, "");
  const update = (newer: HTMLElement) => {
    data = dataOf(newer);
    plot.setData(alignedOf(data));
  };
  return { plot, update };
}

function drawCells(plot: uPlot, { startMs, stepMs, cells }: HeatData): void {
  const { ctx } = plot;
  const most = Math.max(1, ...cells.filter((_, index) => index % 3 === 2));
  ctx.save();
  ctx.fillStyle = colour("--accent");
  for (let at = 0; at < cells.length; at += 3) {
    const [step = 0, bucket = 0, many = 0] = cells.slice(at, at + 3);
    const left = plot.valToPos((startMs + step * stepMs) / 1_000, "x", true);
    const right = plot.valToPos((startMs + (step + 1) * stepMs) / 1_000, "x", true);
    const top = plot.valToPos(bucket + 1, "y", true);
    const bottom = plot.valToPos(bucket, "y", true);
    ctx.globalAlpha = shadeOf(many, most) / shades;
    ctx.fillRect(left, top, Math.max(1, right - left - 1), Math.max(1, bottom - top - 1));
  }
  ctx.restore();
}

/** What the pointer is on: `17:12:30 UTC, 12 to 14 ms: 8 requests`. */
function wordsAt(plot: uPlot, { startMs, stepMs, cells }: HeatData): string {
  const { left = -1, top = -1 } = plot.cursor;
  if (left < 0 || top < 0) return "";
  const step = Math.floor((plot.posToVal(left, "x") * 1_000 - startMs) / stepMs);
  const bucket = Math.floor(plot.posToVal(top, "y"));
  let many = 0;
  for (let at = 0; at < cells.length; at += 3) {
    if (cells[at] === step && cells[at + 1] === bucket) many = cells[at + 2] ?? 0;
  }
  const time = clock((startMs + step * stepMs) / 1_000);
  return `${time} UTC, ${milliseconds(lowerMs(bucket))} to ${milliseconds(boundsMs[bucket] ?? Infinity)}: ${count(many, "request")}`;
}

/** Where a bucket begins, milliseconds. */
function lowerMs(bucket: number): number {
  return bucket <= 0 ? 0 : (boundsMs[Math.min(bucket, boundsMs.length) - 1] ?? 0);
}

function alignedOf(data: HeatData): uPlot.AlignedData {
  const times = Array.from({ length: data.steps }, (_, step) => (data.startMs + step * data.stepMs) / 1_000);
  return [times, times.map(() => null)];
}

function endOf({ startMs, stepMs, steps }: HeatData): number {
  return (startMs + steps * stepMs) / 1_000;
}

function dataOf(figure: HTMLElement): HeatData {
  return JSON.parse(figure.dataset.series ?? "{}") as HeatData;
}

/** Keeps its line, so that nothing below it moves. */
function show(readout: HTMLElement, words: string): void {
  readout.textContent = words === "" ? "Point at a cell for its numbers." : words;
}
