// Columns of `waggle top`: which ones fit the terminal, how wide they are, and the text of their cells.

import { shortLatency, shortPercent, shortRate, sparkline } from "./numbers.ts";
import type { RowMeasurements, SectionName, SortColumn, TopRow } from "./rows.ts";

export type TopColumn = {
  readonly heading: string;
  readonly width: number;
  readonly isRightAligned: boolean;
  /** The sort key of this column; null if rows cannot be sorted by it. */
  readonly sortColumn: SortColumn | null;
  readonly text: (row: TopRow) => string;
  /** A narrow terminal drops the columns with the highest number first; 0 is never dropped. */
  readonly dropOrder: number;
};

const trendWidth = 16;

/** Maximum widths of the text columns; longer text is cut. */
const maxNameWidth = 28;
const maxWhereWidth = 24;
const maxStateWidth = 20;

const headings: Readonly<Record<SectionName, { readonly name: string; readonly where: string }>> = {
  services: { name: "SERVICE", where: "PUBLISHED" },
  nodes: { name: "NODE", where: "ADDRESS" },
  tasks: { name: "TASK", where: "NODE" },
};

const numberColumns: readonly TopColumn[] = [
  numberColumn("REQ/S", 7, "requests", 0, ({ requestsPerSecond }) => shortRate(requestsPerSecond)),
  numberColumn("ERR%", 6, "errors", 0, ({ errorRatio }) => shortPercent(errorRatio)),
  numberColumn("P50", 6, "p50", 2, ({ p50Ms }) => shortLatency(p50Ms)),
  numberColumn("P95", 6, "p95", 1, ({ p95Ms }) => shortLatency(p95Ms)),
  numberColumn("P99", 6, "p99", 2, ({ p99Ms }) => shortLatency(p99Ms)),
  numberColumn("RETRY/S", 8, "retries", 3, ({ retries }) => (retries === null ? "-" : shortRate(retries))),
];

const trendColumn: TopColumn = {
  heading: "TREND",
  width: trendWidth,
  isRightAligned: false,
  sortColumn: null,
  dropOrder: 5,
  text: ({ trend }) => sparkline(trend, trendWidth),
};

/** The columns of a section that fit into `width` characters. */
export function columnsFor(
  section: SectionName,
  rows: readonly TopRow[],
  width: number,
): readonly TopColumn[] {
  const all = allColumns(section, rows);
  const totalWidth = (columns: readonly TopColumn[]) =>
    columns.reduce((sum, column) => sum + column.width, columns.length - 1);
  const dropOrders = [...new Set(all.map(({ dropOrder }) => dropOrder))].sort((a, b) => b - a);
  const choices = dropOrders.map((maxOrder) => all.filter(({ dropOrder }) => dropOrder <= maxOrder));
  return (
    choices.find((columns) => totalWidth(columns) <= width) ?? all.filter(({ dropOrder }) => dropOrder === 0)
  );
}

/** The cells of a row, cut and padded to the widths of their columns. */
export function formatCells(row: TopRow, columns: readonly TopColumn[]): readonly string[] {
  return columns.map(({ text, width, isRightAligned }) => {
    const cell = text(row);
    const fitted = [...cell].length <= width ? cell : `${[...cell].slice(0, width - 1).join("")}…`;
    return isRightAligned ? fitted.padStart(width) : fitted.padEnd(width);
  });
}

function allColumns(section: SectionName, rows: readonly TopRow[]): readonly TopColumn[] {
  const { name, where } = headings[section];
  return [
    textColumn(name, rows, [14, maxNameWidth], "name", 0, (row) => row.name),
    textColumn(where, rows, [9, maxWhereWidth], null, 4, (row) => row.where),
    textColumn("STATE", rows, [7, maxStateWidth], "state", 0, (row) => row.state),
    ...numberColumns,
    trendColumn,
  ];
}

/** A column as wide as its widest cell, within limits. */
function textColumn(
  heading: string,
  rows: readonly TopRow[],
  [minWidth, maxWidth]: readonly [number, number],
  sortColumn: SortColumn | null,
  dropOrder: number,
  text: (row: TopRow) => string,
): TopColumn {
  const widest = Math.max(minWidth, ...rows.map((row) => [...text(row)].length));
  return {
    heading,
    width: Math.min(maxWidth, widest),
    isRightAligned: false,
    sortColumn,
    dropOrder,
    text,
  };
}

/** A column of one measurement; `-` if nothing was measured. */
function numberColumn(
  heading: string,
  width: number,
  sortColumn: SortColumn,
  dropOrder: number,
  text: (measured: RowMeasurements) => string,
): TopColumn {
  return {
    heading,
    width,
    isRightAligned: true,
    sortColumn,
    dropOrder,
    text: ({ measured }) => (measured === null ? "-" : text(measured)),
  };
}
