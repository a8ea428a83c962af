// The interactive latency heatmap: requests by time and latency bucket.

import uPlot from "uplot";
import { boundsMs, histogramBucketCount } from "../../telemetry/histogram.ts";
import { type HeatmapData, shadeCount, shadeOf, visibleBuckets } from "../chart-data.ts";
import { formatMilliseconds, pluralize } from "../text.ts";
import type { DrawnChart } from "./charts.ts";
import { cssColor, plotHeightPx, plotPaddingPx, timeAxis, timeOfDay, utcDate, valueAxis } from "./theme.ts";

export function drawHeatmap(figure: HTMLElement, container: HTMLElement): DrawnChart {
  let data = dataOf(figure);
  const readout = document.createElement("p");
  readout.className = "readout";
  const plot = new uPlot(
    {
      width: container.clientWidth,
      height: plotHeightPx,
      padding: plotPaddingPx,
      tzDate: utcDate,
      scales: {
        x: { range: () => [data.startMs / 1_000, endSeconds(data)] },
        // One row for each bucket. Bucket bounds grow exponentially, so the axis is logarithmic.
        y: { range: () => [...visibleBuckets(data, histogramBucketCount)] },
      },
      axes: [
        timeAxis(),
        { ...valueAxis((bucket) => formatMilliseconds(lowerBoundMs(bucket))), incrs: [4, 8, 16], space: 24 },
      ],
      series: [{}, { show: true, paths: () => null, points: { show: false } }],
      legend: { show: false },
      cursor: { drag: { setScale: false, x: false }, points: { show: false } },
      hooks: {
        draw: [(self) => drawCells(self, data)],
        setCursor: [(self) => setReadout(readout, cellLabel(self, data))],
      },
    },
    alignedData(data),
    container,
  );
  container.append(readout);
  setReadout(readout, "");
  const update = (refreshedFigure: HTMLElement) => {
    data = dataOf(refreshedFigure);
    plot.setData(alignedData(data));
  };
  return { plot, update };
}

function drawCells(plot: uPlot, { startMs, stepMs, cells }: HeatmapData): void {
  const { ctx } = plot;
  const max = Math.max(1, ...cells.filter((_, index) => index % 3 === 2));
  ctx.save();
  ctx.fillStyle = cssColor("--accent");
  for (let at = 0; at < cells.length; at += 3) {
    const [step = 0, bucket = 0, count = 0] = cells.slice(at, at + 3);
    const left = plot.valToPos((startMs + step * stepMs) / 1_000, "x", true);
    const right = plot.valToPos((startMs + (step + 1) * stepMs) / 1_000, "x", true);
    const top = plot.valToPos(bucket + 1, "y", true);
    const bottom = plot.valToPos(bucket, "y", true);
    ctx.globalAlpha = shadeOf(count, max) / shadeCount;
    ctx.fillRect(left, top, Math.max(1, right - left - 1), Math.max(1, bottom - top - 1));
  }
  ctx.restore();
}

/** `17:12:30 UTC, 12 to 14 ms: 8 requests` for the cell at the pointer; empty outside of the plot. */
function cellLabel(plot: uPlot, { startMs, stepMs, cells }: HeatmapData): string {
  const { left = -1, top = -1 } = plot.cursor;
  if (left < 0 || top < 0) return "";
  const step = Math.floor((plot.posToVal(left, "x") * 1_000 - startMs) / stepMs);
  const bucket = Math.floor(plot.posToVal(top, "y"));
  let count = 0;
  for (let at = 0; at < cells.length; at += 3) {
    if (cells[at] === step && cells[at + 1] === bucket) count = cells[at + 2] ?? 0;
  }
  const time = timeOfDay((startMs + step * stepMs) / 1_000);
  const from = formatMilliseconds(lowerBoundMs(bucket));
  const to = formatMilliseconds(boundsMs[bucket] ?? Infinity);
  return `${time} UTC, ${from} to ${to}: ${pluralize(count, "request")}`;
}

function lowerBoundMs(bucket: number): number {
  return bucket <= 0 ? 0 : (boundsMs[Math.min(bucket, boundsMs.length) - 1] ?? 0);
}

/** uPlot needs a series; its values are empty because `drawCells` does the drawing. */
function alignedData(data: HeatmapData): uPlot.AlignedData {
  const times = Array.from({ length: data.steps }, (_, step) => (data.startMs + step * data.stepMs) / 1_000);
  return [times, times.map(() => null)];
}

function endSeconds({ startMs, stepMs, steps }: HeatmapData): number {
  return (startMs + steps * stepMs) / 1_000;
}

function dataOf(figure: HTMLElement): HeatmapData {
  return JSON.parse(figure.dataset.series ?? "{}") as HeatmapData;
}

/** Never empty, so that the line keeps its height. */
function setReadout(readout: HTMLElement, text: string): void {
  readout.textContent = text === "" ? "Point at a cell for its numbers." : text;
}
