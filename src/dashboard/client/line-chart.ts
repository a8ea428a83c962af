// Lines over time: requests and errors, and latencies.

import uPlot from "uplot";
import type { LineChartData } from "../chart-data.ts";
import { formatMilliseconds, formatPerSecond } from "../text.ts";
import type { DrawnChart } from "./charts.ts";
import { colour, plotHeightPx, plotPaddingPx, timeAxis, timeOfDay, utcDate, valueAxis } from "./theme.ts";

type LineChartKind = {
  readonly format: (value: number) => string;
  readonly series: () => readonly uPlot.Series[];
};

/** Told apart by how they are drawn, not by colour alone. */
const lineChartKinds: Readonly<Record<string, LineChartKind>> = {
  rate: {
    format: formatPerSecond,
    series: () => [
      { label: "Requests", stroke: colour("--info"), width: 1.5, fill: colour("--info-ground") },
      { label: "Errors", stroke: colour("--bad"), width: 2, dash: [5, 2] },
    ],
  },
  latency: {
    format: formatMilliseconds,
    series: () => [
      { label: "p50", stroke: colour("--ok"), width: 2 },
      { label: "p95", stroke: colour("--info"), width: 1.5, dash: [6, 3] },
      { label: "p99", stroke: colour("--warn"), width: 1.5, dash: [2, 3] },
    ],
  },
};

export function drawLineChart(figure: HTMLElement, place: HTMLElement): DrawnChart {
  const { format, series } = lineChartKinds[figure.dataset.chart ?? ""] ?? {
    format: String,
    series: () => [],
  };
  const value: uPlot.Series.Value = (_, number) => (number === null ? "–" : format(number));
  const plot = new uPlot(
    {
      width: place.clientWidth,
      height: plotHeightPx,
      padding: plotPaddingPx,
      tzDate: utcDate,
      scales: { y: { range: (_, _least, most) => [0, most > 0 ? most * 1.1 : 1] } },
      axes: [timeAxis(), valueAxis(format)],
      series: [
        { label: "At", value: (_, at) => (at === null ? "–" : timeOfDay(at)) },
        ...series().map((one) => ({ ...one, value, spanGaps: false, points: { show: showPoints } })),
      ],
      legend: { markers: { width: 2, fill: () => "transparent" } },
      cursor: { drag: { setScale: false, x: false }, y: false },
    },
    dataOf(figure),
    place,
  );
  return { plot, update: (newer) => plot.setData(dataOf(newer)) };
}

/** A value between two gaps is no line; only a point shows it. */
function showPoints(plot: uPlot, index: number, first: number, last: number): boolean {
  const values = plot.data[index] ?? [];
  return values
    .slice(first, last + 1)
    .some((value, at, own) => value !== null && own[at - 1] == null && own[at + 1] == null);
}

function dataOf(figure: HTMLElement): uPlot.AlignedData {
  const { startMs, stepMs, lines } = JSON.parse(figure.dataset.series ?? "{}") as LineChartData;
  const times = (lines[0] ?? []).map((_, step) => (startMs + step * stepMs) / 1_000);
  return [times, ...lines.map((line) => [...line])];
}
