// Charts: draws the page's figures anew where a pointer can ask them for numbers. What the server drew stays for who
// has no script, and for print.

import type uPlot from "uplot";
import { drawHeatmap } from "./heatmap.ts";
import { drawLineChart } from "./line-chart.ts";

/** One drawn figure; a newer reading of the page hands its data on. */
export type DrawnChart = {
  readonly plot: uPlot;
  /** Draws the data that the figure now has. */
  readonly update: (figure: HTMLElement) => void;
};

const chartDrawers: Readonly<Record<string, (figure: HTMLElement, place: HTMLElement) => DrawnChart>> = {
  rate: drawLineChart,
  latency: drawLineChart,
  heat: drawHeatmap,
};

/** By the id of the figure. */
const drawnCharts = new Map<string, DrawnChart & { readonly place: HTMLElement }>();

const resizeObserver = new ResizeObserver((entries) => {
  for (const { target, contentRect } of entries) {
    const own = drawnCharts.get(target.parentElement?.id ?? "");
    if (own?.place === target && contentRect.width > 0) {
      own.plot.setSize({ width: contentRect.width, height: own.plot.height });
    }
  }
});

function drawAll(root: ParentNode): void {
  for (const figure of root.querySelectorAll<HTMLElement>("figure[data-chart]")) drawFigure(figure);
}

/** What is drawn already moves over to the newer figure, so that a pointer on it keeps its place. */
function drawFigure(figure: HTMLElement): void {
  const known = drawnCharts.get(figure.id);
  if (known !== undefined) {
    if (known.place.parentElement !== figure) figure.append(known.place);
    known.update(figure);
    return;
  }
  const place = document.createElement("div");
  place.className = "plot";
  place.dataset.drawn = "";
  // Its words stand in the caption and in the table.
  place.setAttribute("aria-hidden", "true");
  figure.append(place);
  const made = chartDrawers[figure.dataset.chart ?? ""]?.(figure, place);
  if (made === undefined) {
    place.remove();
    return;
  }
  drawnCharts.set(figure.id, { ...made, place });
  resizeObserver.observe(place);
}

/** Colours are the theme's, which a canvas does not follow by itself. */
function redrawAll(): void {
  for (const { plot, place } of drawnCharts.values()) {
    resizeObserver.unobserve(place);
    plot.destroy();
    place.remove();
  }
  drawnCharts.clear();
  drawAll(document);
}

document.addEventListener("part", ({ target }) => drawAll(target as HTMLElement));
matchMedia("(prefers-color-scheme: dark)").addEventListener("change", redrawAll);
drawAll(document);
