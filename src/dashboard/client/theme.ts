// Chart theme: colors and fonts from the style sheet, and the axes that all charts share.

import type uPlot from "uplot";

/** The value of a CSS custom property: `cssColor("--info")`. */
export function cssColor(name: `--${string}`): string {
  return getComputedStyle(document.documentElement).getPropertyValue(name).trim();
}

export const plotHeightPx = 190;

/** Pixels above, right of, below and left of the axes. */
export const plotPaddingPx: uPlot.Padding = [8, 24, 0, 0];

const font = '11px system-ui, -apple-system, "Segoe UI", Roboto, sans-serif';

/** uPlot prints local time; shifting by the offset makes it UTC, as on the rest of the page. */
export function utcDate(seconds: number): Date {
  const date = new Date(seconds * 1_000);
  return new Date(date.getTime() + date.getTimezoneOffset() * 60_000);
}

/** `17:12:30`, in UTC. */
export function timeOfDay(seconds: number): string {
  return new Date(seconds * 1_000).toISOString().slice(11, 19);
}

export function timeAxis(): uPlot.Axis {
  // Ticks less than a minute apart need seconds, or two of them would have the same label.
  const values: uPlot.Axis.Values = (_, ticks, _axis, _space, tickSeconds) =>
    ticks.map((seconds) => timeOfDay(seconds).slice(0, tickSeconds < 60 ? 8 : 5));
  return { ...axisStyle(), size: 24, gap: 4, space: 64, grid: { show: false }, values };
}

/** @param format of the tick labels */
export function valueAxis(format: (value: number) => string): uPlot.Axis {
  return {
    ...axisStyle(),
    size: 52,
    gap: 4,
    grid: { stroke: cssColor("--line"), width: 1 },
    values: (_, ticks) => ticks.map((tick) => (tick === null ? "" : format(tick))),
  };
}

function axisStyle(): uPlot.Axis {
  return { stroke: cssColor("--muted"), font, ticks: { show: false } };
}
