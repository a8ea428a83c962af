// The theme as a canvas needs it: colours and fonts read from the style sheet, axes that look the same on every chart.

import type uPlot from "uplot";

/** A colour of the style sheet: `colour("--info")`. */
export function colour(name: `--${string}`): string {
  return getComputedStyle(document.documentElement).getPropertyValue(name).trim();
}

export const plotHeightPx = 190;

/** Above, right, below, left of the axes; pixels. */
export const plotPaddingPx: uPlot.Padding = [8, 24, 0, 0];

const font = '11px system-ui, -apple-system, "Segoe UI", Roboto, sans-serif';

/** Every time on the pages is UTC, as in logs. */
export function utcDate(seconds: number): Date {
  const date = new Date(seconds * 1_000);
  return new Date(date.getTime() + date.getTimezoneOffset() * 60_000);
}

/** `17:12:30`, in UTC. */
export function timeOfDay(seconds: number): string {
  return new Date(seconds * 1_000).toISOString().slice(11, 19);
}

export function timeAxis(): uPlot.Axis {
  // Where marks are less than a minute apart, two would say the same without their seconds.
  const values: uPlot.Axis.Values = (_, seconds, _at, _space, apart) =>
    seconds.map((at) => timeOfDay(at).slice(0, apart < 60 ? 8 : 5));
  return { ...axisStyle(), size: 24, gap: 4, space: 64, grid: { show: false }, values };
}

/** @param words what stands at a value */
export function valueAxis(words: (value: number) => string): uPlot.Axis {
  return {
    ...axisStyle(),
    size: 52,
    gap: 4,
    grid: { stroke: colour("--line"), width: 1 },
    values: (_, values) => values.map((value) => (value === null ? "" : words(value))),
  };
}

function axisStyle(): uPlot.Axis {
  return { stroke: colour("--muted"), font, ticks: { show: false } };
}
