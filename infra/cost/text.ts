// Numbers, and tables for terminals and for Markdown.

/** `$74.8`, `$4,160`, `$0.02`: three digits, or whole dollars above a hundred. */
export function dollars(value: number): string {
  return `$${round3(value)}`;
}

/** `139 M`, `0.26 M`, `8,640`: three digits with a unit of thousands. */
export function amountText(value: number): string {
  const [divisor, unit] =
    value >= 1e9 ? ([1e9, " G"] as const) : value >= 1e6 ? ([1e6, " M"] as const) : ([1, ""] as const);
  return `${round3(value / divisor)}${unit}`;
}

/** `43 %`, `0.4 %`. */
export function percent(share: number): string {
  const value = share * 100;
  return `${value >= 10 || value === 0 ? value.toFixed(0) : value.toPrecision(1)} %`;
}

function round3(value: number): string {
  if (value >= 100) return Math.round(value).toLocaleString("en-US");
  return String(Number(value >= 1 ? value.toPrecision(3) : value.toPrecision(2)));
}

/** Aligned columns; the first row is the heading. All but the first column are numbers. */
export function textTable(rows: readonly (readonly string[])[]): string {
  const widths = widthsOf(rows);
  return rows
    .map((row) =>
      row
        .map((cell, column) =>
          column === 0 ? cell.padEnd(widths[0] ?? 0) : cell.padStart(widths[column] ?? 0),
        )
        .join("  ")
        .trimEnd(),
    )
    .join("\n");
}

/** A table of Markdown; the first row is the heading. All but the first column are numbers. */
export function markdownTable([heading = [], ...rows]: readonly (readonly string[])[]): string {
  const line = (cells: readonly string[]): string => `| ${cells.join(" | ")} |`;
  const rule = `|${heading.map((_, column) => (column === 0 ? "---" : "--:")).join("|")}|`;
  return [line(heading), rule, ...rows.map(line)].join("\n");
}

function widthsOf(rows: readonly (readonly string[])[]): readonly number[] {
  return (rows[0] ?? []).map((_, column) => Math.max(...rows.map((row) => row[column]?.length ?? 0)));
}
