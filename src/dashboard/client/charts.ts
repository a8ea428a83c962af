// Charts: draws the page's figures anew where a pointer can ask them for numbers. What the server drew stays for who
// has no script, and for print.

import type uPlot from "uplot";
import { drawHeat } from "./heat.ts";
import { drawLines } from "./lines.ts";

/** One drawn figure; a newer reading of the page hands its data on. */
export type Drawn = {
  readonly plot: uPlot;
  /** Draws the data that the figure now has. */
  readonly update: (figure: HTMLElement) => void;
};

const drawers: Readonly<Record<string, (figure: HTMLElement, place: HTMLElement) => Drawn>> = {
  rate: drawLines,
  latency: drawLines,
  heat: drawHeat,
};

/** By the id of the figure. */
const drawn = new Map<string, Drawn & { readonly place: HTMLElement }>();

const resized = new ResizeObserver((entries) => {
  for (const { target, contentRect } of entries) {
    const own = drawn.get(target.parentElement?.id ?? "");
    if (own?.place === target && contentRect.width > 0) {
      own.plot.setSize({ width: contentRect.width, height: own.plot.height });
    }
  }
});

function drawAll(root: ParentNode): void {
  for (const figure of root.querySelectorAll<HTMLElement>("figure[data-chart]")) draw(figure);
}

/** What is drawn already moves over to the newer figure, so that a pointer on it keeps its place. */
function draw(figure: HTMLElement): void {
  const known = drawn.get(figure.id);
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
  const made = drawers[figure.dataset.chart ?? ""]?.(figure, place);
  if (made === undefined) {
    place.remove();
    return;
  }
  drawn.set(figure.id, { ...made, place });
  resized.observe(place);
}

/** Colours are the theme's, which a canvas does not follow by itself. */
function drawAnew(): void {
  for (const { plot, place } of drawn.values()) {
    resized.unobserve(place);
    plot.destroy();
    place.remove();
  }
  drawn.clear();
  drawAll(document);
}

document.addEventListener("part", ({ target }) => drawAll(target as HTMLElement));
matchMedia("(prefers-color-scheme: dark)").addEventListener("change", drawAnew);
drawAll(document);
