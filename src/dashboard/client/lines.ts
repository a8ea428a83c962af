// Lines over time: requests and errors, and latencies.

import uPlot from "uplot";
import type { LineData } from "../chart-data.ts";
import { milliseconds, perSecond } from "../text.ts";
import type { Drawn } from "./charts.ts";
import { clock, colour, plotHeight, plotPadding, timeAxis, utc, valueAxis } from "./theme.ts";

type Kind = { readonly words: (value: number) => string; readonly series: () => readonly uPlot.Series[] };

/** Told apart by how they are drawn, not by colour alone. */
const kinds: Readonly<Record<string, Kind>> = {
  rate: {
    words: perSecond,
    series: () => [
      { label: "Requests", stroke: colour("--info"), width: 1.5, fill: colour("--info-ground") },
      { label: "Errors", stroke: colour("--bad"), width: 2, dash: [5, 2] },
    ],
  },
  latency: {
    words: milliseconds,
    series: () => [
      { label: "p50", stroke: colour("--ok"), width: 2 },
      { label: "p95", stroke: colour("--info"), width: 1.5, dash: [6, 3] },
      { label: "p99", stroke: colour("--warn"), width: 1.5, dash: [2, 3] },
    ],
  },
};

export function drawLines(figure: HTMLElement, place: HTMLElement): Drawn {
  const { words, series } = kinds[figure.dataset.chart ?? ""] ?? { words: String, series: () => [] };
  const value: uPlot.Series.Value = (_, number) => (number === null ? "–" : words(number));
  const plot = new uPlot(
    {
      width: place.clientWidth,
      height: plotHeight,
      padding: plotPadding,
      tzDate: utc,
      scales: { y: { range: (_, _least, most) => [0, most > 0 ? most * 1.1 : 1] } },
      axes: [timeAxis(), valueAxis(words)],
      series: [
        { label: "At", value: (_, at) => (at === null ? "–" : clock(at)) },
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
  const { startMs, stepMs, lines } = JSON.parse(figure.dataset.series ?? "{}") as LineData;
  const times = (lines[0] ?? []).map((_, step) => (startMs + step * stepMs) / 1_000);
  return [times, ...lines.map((line) => [...line])];
}
