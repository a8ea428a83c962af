// Columns of `waggle top`: which fit, how wide each is, and what stands in it.

import { shortLatency, shortPercent, shortRate, sparkline } from "./numbers.ts";
import type { SectionName, SortColumn, TopRow } from "./rows.ts";

export type TopColumn = {
  readonly heading: string;
  readonly width: number;
  readonly isRightAligned: boolean;
  /** What the rows can be sorted by that stands here. */
  readonly sortColumn: SortColumn | null;
  readonly text: (row: TopRow) => string;
  /** Those with the highest number go first when the terminal is narrow; 0 always stays. */
  readonly dropOrder: number;
};

const trendWidth = 16;

/** Longest names shown whole in a terminal of the usual width. */
const maxNameWidth = 28;
const maxWhereWidth = 24;

const headings: Readonly<Record<SectionName, { readonly name: string; readonly where: string }>> = {
  services: { name: "SERVICE", where: "PUBLISHED" },
  nodes: { name: "NODE", where: "ADDRESS" },
  tasks: { name: "TASK", where: "NODE" },
};

/** The columns that fit into a terminal so wide. */
export function columnsFor(
  section: SectionName,
  rows: readonly TopRow[],
  width: number,
): readonly TopColumn[] {
  const all = allColumns(section, rows);
  const total = (columns: readonly TopColumn[]) =>
    columns.reduce((sum, column) => sum + column.width, columns.length - 1);
  const bySpare = [...new Set(all.map(({ dropOrder }) => dropOrder))].sort((a, b) => b - a);
  const fitting = bySpare.map((most) => all.filter(({ dropOrder }) => dropOrder <= most));
  return fitting.find((columns) => total(columns) <= width) ?? all.filter(({ dropOrder }) => dropOrder === 0);
}

/** What stands in a row, padded. */
export function formatCells(row: TopRow, columns: readonly TopColumn[]): readonly string[] {
  return columns.map(({ text, width, isRightAligned }) => {
    const own = text(row);
    const fitted = [...own].length <= width ? own : `${[...own].slice(0, width - 1).join("")}…`;
    return isRightAligned ? fitted.padStart(width) : fitted.padEnd(width);
  });
}

function allColumns(section: SectionName, rows: readonly TopRow[]): readonly TopColumn[] {
  const { name, where } = headings[section];
  const wide = (least: number, most: number, text: (row: TopRow) => string) =>
    rows.reduce((widest, row) => Math.min(most, Math.max(widest, [...text(row)].length)), least);
  const nameText = (row: TopRow) => row.name;
  const whereText = (row: TopRow) => row.where;
  const stateText = (row: TopRow) => row.state;
  const number = (
    heading: string,
    width: number,
    sorts: SortColumn,
    spare: number,
    text: (measured: NonNullable<TopRow["measured"]>) => string,
  ): TopColumn => ({
    heading,
    width,
    isRightAligned: true,
    sortColumn: sorts,
    dropOrder: spare,
    text: ({ measured }) => (measured === null ? "-" : text(measured)),
  });
  return [
    {
      heading: name,
      width: wide(14, maxNameWidth, nameText),
      isRightAligned: false,
      sortColumn: "name",
      dropOrder: 0,
      text: nameText,
    },
    {
      heading: where,
      width: wide(9, maxWhereWidth, whereText),
      isRightAligned: false,
      sortColumn: null,
      dropOrder: 4,
      text: whereText,
    },
    {
      heading: "STATE",
      width: wide(7, 20, stateText),
      isRightAligned: false,
      sortColumn: "state",
      dropOrder: 0,
      text: stateText,
    },
    number("REQ/S", 7, "requests", 0, ({ requestsPerSecond }) => shortRate(requestsPerSecond)),
    number("ERR%", 6, "errors", 0, ({ errorRatio }) => shortPercent(errorRatio)),
    number("P50", 6, "p50", 2, ({ p50Ms }) => shortLatency(p50Ms)),
    number("P95", 6, "p95", 1, ({ p95Ms }) => shortLatency(p95Ms)),
    number("P99", 6, "p99", 2, ({ p99Ms }) => shortLatency(p99Ms)),
    number("RETRY/S", 8, "retries", 3, ({ retries }) => (retries === null ? "-" : shortRate(retries))),
    {
      heading: "TREND",
      width: trendWidth,
      isRightAligned: false,
      sortColumn: null,
      dropOrder: 5,
      text: ({ trend }) => sparkline(trend, trendWidth),
    },
  ];
}
