// A chart with two logarithmic axes, as SVG that is legible on light and dark pages. Pure.

export type Series = {
  readonly label: string;
  /** The color, 1 to 4. What is compared has one color. */
  readonly color: 1 | 2 | 3 | 4;
  /** Dashed: an earlier release. */
  readonly isEarlier: boolean;
  readonly points: readonly ChartPoint[];
};

export type ChartPoint = { readonly x: number; readonly y: number };

type Axis = {
  readonly label: string;
  /** Ascending; the first and the last are the ends of the axis. */
  readonly ticks: readonly number[];
};

export type Chart = {
  readonly title: string;
  readonly x: Axis;
  readonly y: Axis;
  readonly series: readonly Series[];
  /** A horizontal line, such as a limit. */
  readonly limit?: { readonly y: number; readonly label: string };
};

const width = 760;
const plot = { left: 104, top: 62, width: 410, height: 300 } as const;
const height = plot.top + plot.height + 66;
/** Labels at the ends of lines are at least this far apart. */
const labelHeight = 18;

const style = `
    .page { fill: #ffffff; stroke: #d0d7de; }
    text { font: 13px system-ui, "Segoe UI", Helvetica, Arial, sans-serif; fill: #1f2328; }
    .title { font-size: 16px; font-weight: 600; }
    .tick, .axis { fill: #59636e; }
    .grid { stroke: #d0d7de; }
    .limit { stroke: #59636e; stroke-dasharray: 2 3; }
    .line { fill: none; stroke-width: 2.5; }
    .earlier { stroke-dasharray: 7 5; }
    .s1 { --c: #0969da; } .s2 { --c: #bc4c00; } .s3 { --c: #1a7f37; } .s4 { --c: #8250df; }
    .line { stroke: var(--c); } .dot { fill: var(--c); } text.label { fill: var(--c); }
    @media (prefers-color-scheme: dark) {
      .page { fill: #0d1117; stroke: #3d444d; }
      text { fill: #f0f6fc; }
      .tick, .axis { fill: #9198a1; }
      .grid { stroke: #3d444d; }
      .limit { stroke: #9198a1; }
      .s1 { --c: #4493f8; } .s2 { --c: #f0883e; } .s3 { --c: #3fb950; } .s4 { --c: #ab7df8; }
    }`;

export function chartSvg(chart: Chart): string {
  const parts = [
    `<rect class="page" x="0.5" y="0.5" width="${width - 1}" height="${height - 1}" rx="6"/>`,
    text({ x: 24, y: 32, class: "title" }, chart.title),
    ...xAxis(chart.x),
    ...yAxis(chart.y),
    ...limitLine(chart),
    ...chart.series.flatMap((series) => lineOf(series, chart)),
    ...labels(chart),
  ];
  return `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 ${width} ${height}" width="${width}" height="${height}" role="img" aria-label="${escapeXml(chart.title)}">
  <style>${style}
  </style>
${parts.map((part) => `  ${part}`).join("\n")}
</svg>
`;
}

function xAxis({ label, ticks }: Axis): readonly string[] {
  const bottom = plot.top + plot.height;
  return [
    ...ticks.flatMap((tick) => {
      const x = xOf(tick, ticks);
      return [
        `<line class="grid" x1="${x}" y1="${plot.top}" x2="${x}" y2="${bottom}"/>`,
        text({ x, y: bottom + 20, class: "tick", "text-anchor": "middle" }, tickText(tick)),
      ];
    }),
    text({ x: plot.left + plot.width / 2, y: bottom + 46, class: "axis", "text-anchor": "middle" }, label),
  ];
}

function yAxis({ label, ticks }: Axis): readonly string[] {
  const middle = plot.top + plot.height / 2;
  return [
    ...ticks.flatMap((tick) => {
      const y = yOf(tick, ticks);
      return [
        `<line class="grid" x1="${plot.left}" y1="${y}" x2="${plot.left + plot.width}" y2="${y}"/>`,
        text({ x: plot.left - 10, y: y + 4, class: "tick", "text-anchor": "end" }, tickText(tick)),
      ];
    }),
    text(
      { x: 24, y: middle, class: "axis", "text-anchor": "middle", transform: `rotate(-90 24 ${middle})` },
      label,
    ),
  ];
}

function limitLine({ limit, y }: Chart): readonly string[] {
  if (limit === undefined) return [];
  const at = yOf(limit.y, y.ticks);
  return [
    `<line class="limit" x1="${plot.left}" y1="${at}" x2="${plot.left + plot.width}" y2="${at}"/>`,
    text({ x: plot.left + 8, y: at - 6, class: "tick" }, limit.label),
  ];
}

function lineOf({ color, isEarlier, points }: Series, { x, y }: Chart): readonly string[] {
  const places = points.map((point) => ({ x: xOf(point.x, x.ticks), y: yOf(point.y, y.ticks) }));
  const path = places.map((place) => `${place.x},${place.y}`).join(" ");
  return [
    `<polyline class="line s${color}${isEarlier ? " earlier" : ""}" points="${path}"/>`,
    ...places.map((place) => `<circle class="dot s${color}" cx="${place.x}" cy="${place.y}" r="3.5"/>`),
  ];
}

/** Labels at the right ends of the lines, moved apart. */
function labels({ series, y }: Chart): readonly string[] {
  const wanted = series
    .map((one) => ({ one, at: yOf(one.points.at(-1)?.y ?? 1, y.ticks) }))
    .toSorted((a, b) => a.at - b.at);
  let previous = Number.NEGATIVE_INFINITY;
  const spread = wanted.map(({ one, at }) => {
    previous = Math.max(at, previous + labelHeight);
    return { one, at: previous };
  });
  // The lowest ones move up again if there is no room below.
  const overflow = Math.max(0, previous - (plot.top + plot.height));
  return spread.map(({ one, at }) =>
    text({ x: plot.left + plot.width + 12, y: at - overflow + 4, class: `label s${one.color}` }, one.label),
  );
}

function xOf(value: number, ticks: readonly number[]): number {
  return round(plot.left + plot.width * shareOf(value, ticks));
}

function yOf(value: number, ticks: readonly number[]): number {
  return round(plot.top + plot.height * (1 - shareOf(value, ticks)));
}

/** Where a value is on a logarithmic axis, 0 to 1. Values outside are at the ends. */
function shareOf(value: number, ticks: readonly number[]): number {
  const [first = 1, last = 10] = [ticks[0], ticks.at(-1)];
  const share = Math.log(Math.max(value, first) / first) / Math.log(last / first);
  return Math.min(1, share);
}

function round(value: number): number {
  return Math.round(value * 10) / 10;
}

/** `0.01`, `10,000`, `10 M`. */
function tickText(value: number): string {
  return value >= 1e6 ? `${value / 1e6} M` : value.toLocaleString("en-US");
}

function text(attributes: Readonly<Record<string, string | number>>, content: string): string {
  const list = Object.entries(attributes).map(([name, value]) => ` ${name}="${value}"`);
  return `<text${list.join("")}>${escapeXml(content)}</text>`;
}

function escapeXml(content: string): string {
  return content.replaceAll("&", "&amp;").replaceAll("<", "&lt;").replaceAll('"', "&quot;");
}
