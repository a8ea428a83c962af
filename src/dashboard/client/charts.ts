// Interactive charts: replaces the server's SVG with uPlot charts that show numbers at the pointer. The SVG
// stays for print and for browsers without JavaScript.

import type uPlot from "uplot";
import { drawHeatmap } from "./heatmap.ts";
import { drawLineChart } from "./line-chart.ts";

/** @see docs/decisions/0044-charts-twice.md */
export type DrawnChart = {
  readonly plot: uPlot;
  /** Redraws with the data of a refreshed figure. */
  readonly update: (figure: HTMLElement) => void;
};

/** By `data-chart`. */
const chartDrawers: Readonly<Record<string, (figure: HTMLElement, container: HTMLElement) => DrawnChart>> = {
  rate: drawLineChart,
  latency: drawLineChart,
  heatmap: drawHeatmap,
};

/** By the id of the figure. */
const drawnCharts = new Map<string, DrawnChart & { readonly container: HTMLElement }>();

const resizeObserver = new ResizeObserver((entries) => {
  for (const { target, contentRect } of entries) {
    const drawn = drawnCharts.get(target.parentElement?.id ?? "");
    if (drawn?.container === target && contentRect.width > 0) {
      drawn.plot.setSize({ width: contentRect.width, height: drawn.plot.height });
    }
  }
});

function drawAll(root: ParentNode): void {
  for (const figure of root.querySelectorAll<HTMLElement>("figure[data-chart]")) drawFigure(figure);
}

/** An existing chart moves into the refreshed figure, so that the pointer's readout stays. */
function drawFigure(figure: HTMLElement): void {
  const drawn = drawnCharts.get(figure.id);
  if (drawn !== undefined) {
    if (drawn.container.parentElement !== figure) figure.append(drawn.container);
    drawn.update(figure);
    return;
  }
  const draw = chartDrawers[figure.dataset.chart ?? ""];
  if (draw === undefined) return;
  const container = document.createElement("div");
  container.className = "plot";
  container.dataset.drawn = "";
  // The caption and the table give the numbers to a screen reader.
  container.setAttribute("aria-hidden", "true");
  figure.append(container);
  drawnCharts.set(figure.id, { ...draw(figure, container), container });
  resizeObserver.observe(container);
}

/** A canvas does not follow a change of color scheme by itself. */
function redrawAll(): void {
  for (const { plot, container } of drawnCharts.values()) {
    resizeObserver.unobserve(container);
    plot.destroy();
    container.remove();
  }
  drawnCharts.clear();
  drawAll(document);
}

document.addEventListener("part", ({ target }) => drawAll(target as HTMLElement));
matchMedia("(prefers-color-scheme: dark)").addEventListener("change", redrawAll);
drawAll(document);
