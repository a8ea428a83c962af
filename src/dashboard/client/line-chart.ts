// The interactive line charts: request and error rates, and latency percentiles.

import uPlot from "uplot";
import type { LineChartData } from "../chart-data.ts";
import { formatMilliseconds, formatPerSecond } from "../text.ts";
import type { DrawnChart } from "./charts.ts";
import { cssColor, plotHeightPx, plotPaddingPx, timeAxis, timeOfDay, utcDate, valueAxis } from "./theme.ts";

type LineChartKind = {
  readonly format: (value: number) => string;
  readonly series: () => readonly uPlot.Series[];
};

/** By `data-chart`. Lines differ by dash pattern as well as by color. */
const lineChartKinds: Readonly<Record<string, LineChartKind>> = {
  rate: {
    format: formatPerSecond,
    series: () => [
      { label: "Requests", stroke: cssColor("--info"), width: 1.5, fill: cssColor("--info-ground") },
      { label: "Errors", stroke: cssColor("--bad"), width: 2, dash: [5, 2] },
    ],
  },
  latency: {
    format: formatMilliseconds,
    series: () => [
      { label: "p50", stroke: cssColor("--ok"), width: 2 },
      { label: "p95", stroke: cssColor("--info"), width: 1.5, dash: [6, 3] },
      { label: "p99", stroke: cssColor("--warn"), width: 1.5, dash: [2, 3] },
    ],
  },
};

export function drawLineChart(figure: HTMLElement, container: HTMLElement): DrawnChart {
  const { format, series } = lineChartKinds[figure.dataset.chart ?? ""] ?? {
    format: String,
    series: () => [],
  };
  const value: uPlot.Series.Value = (_, number) => (number === null ? "–" : format(number));
  const plot = new uPlot(
    {
      width: container.clientWidth,
      height: plotHeightPx,
      padding: plotPaddingPx,
      tzDate: utcDate,
      scales: { y: { range: (_, _min, max) => [0, max > 0 ? max * 1.1 : 1] } },
      axes: [timeAxis(), valueAxis(format)],
      series: [
        { label: "Time", value: (_, seconds) => (seconds === null ? "–" : timeOfDay(seconds)) },
        ...series().map((line) => ({ ...line, value, spanGaps: false, points: { show: showPoints } })),
      ],
      legend: { markers: { width: 2, fill: () => "transparent" } },
      cursor: { drag: { setScale: false, x: false }, y: false },
    },
    dataOf(figure),
    container,
  );
  return { plot, update: (refreshedFigure) => plot.setData(dataOf(refreshedFigure)) };
}

/** A value between two gaps makes no line, so it needs a point. */
function showPoints(plot: uPlot, seriesIndex: number, first: number, last: number): boolean {
  const values = plot.data[seriesIndex] ?? [];
  return values
    .slice(first, last + 1)
    .some(
      (value, index, visible) => value !== null && visible[index - 1] == null && visible[index + 1] == null,
    );
}

function dataOf(figure: HTMLElement): uPlot.AlignedData {
  const { startMs, stepMs, lines } = JSON.parse(figure.dataset.series ?? "{}") as LineChartData;
  const times = (lines[0] ?? []).map((_, step) => (startMs + step * stepMs) / 1_000);
  return [times, ...lines.map((line) => [...line])];
}
