// Columns of `waggle top`: which fit, how wide each is, and what stands in it.

import { latency, percent, rate, sparkline } from "./numbers.ts";
import type { Row, SectionName, SortColumn } from "./rows.ts";

export type Column = {
  readonly heading: string;
  readonly width: number;
  readonly right: boolean;
  /** What the rows can be sorted by that stands here. */
  readonly sorts: SortColumn | null;
  readonly text: (row: Row) => string;
  /** Those with the highest number go first when the terminal is narrow; 0 always stays. */
  readonly spare: number;
};

const trendWidth = 16;

/** Longest names shown whole in a terminal of the usual width. */
const maxName = 28;
const maxWhere = 24;

const headings: Readonly<Record<SectionName, { readonly name: string; readonly where: string }>> = {
  services: { name: "SERVICE", where: "PUBLISHED" },
  nodes: { name: "NODE", where: "ADDRESS" },
  tasks: { name: "TASK", where: "NODE" },
};

/** The columns that fit into a terminal so wide. */
export function columnsFor(section: SectionName, rows: readonly Row[], width: number): readonly Column[] {
  const all = allColumns(section, rows);
  const total = (columns: readonly Column[]) =>
    columns.reduce((sum, column) => sum + column.width, columns.length - 1);
  const bySpare = [...new Set(all.map(({ spare }) => spare))].sort((a, b) => b - a);
  const fitting = bySpare.map((most) => all.filter(({ spare }) => spare <= most));
  return fitting.find((columns) => total(columns) <= width) ?? all.filter(({ spare }) => spare === 0);
}

/** What stands in a row, padded. */
export function cells(row: Row, columns: readonly Column[]): readonly string[] {
  return columns.map(({ text, width, right }) => {
    const own = text(row);
    const fitted = [...own].length <= width ? own : `${[...own].slice(0, width - 1).join("")}…`;
    return right ? fitted.padStart(width) : fitted.padEnd(width);
  });
}

function allColumns(section: SectionName, rows: readonly Row[]): readonly Column[] {
  const { name, where } = headings[section];
  const wide = (least: number, most: number, text: (row: Row) => string) =>
    rows.reduce((widest, row) => Math.min(most, Math.max(widest, [...text(row)].length)), least);
  const nameText = (row: Row) => row.name;
  const whereText = (row: Row) => row.where;
  const stateText = (row: Row) => row.state;
  const number = (
    heading: string,
    width: number,
    sorts: SortColumn,
    spare: number,
    text: (measured: NonNullable<Row["measured"]>) => string,
  ): Column => ({
    heading,
    width,
    right: true,
    sorts,
    spare,
    text: ({ measured }) => (measured === null ? "-" : text(measured)),
  });
  return [
    {
      heading: name,
      width: wide(14, maxName, nameText),
      right: false,
      sorts: "name",
      spare: 0,
      text: nameText,
    },
    {
      heading: where,
      width: wide(9, maxWhere, whereText),
      right: false,
      sorts: null,
      spare: 4,
      text: whereText,
    },
    {
      heading: "STATE",
      width: wide(7, 20, stateText),
      right: false,
      sorts: "state",
      spare: 0,
      text: stateText,
    },
    number("REQ/S", 7, "requests", 0, ({ requests }) => rate(requests)),
    number("ERR%", 6, "errors", 0, ({ errors }) => percent(errors)),
    number("P50", 6, "p50", 2, ({ p50Ms }) => latency(p50Ms)),
    number("P95", 6, "p95", 1, ({ p95Ms }) => latency(p95Ms)),
    number("P99", 6, "p99", 2, ({ p99Ms }) => latency(p99Ms)),
    number("RETRY/S", 8, "retries", 3, ({ retries }) => (retries === null ? "-" : rate(retries))),
    {
      heading: "TREND",
      width: trendWidth,
      right: false,
      sorts: null,
      spare: 5,
      text: ({ trend }) => sparkline(trend, trendWidth),
    },
  ];
}
