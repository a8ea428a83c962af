// The screen of `waggle top` as text: what was read, shown the way the state says, cut to the terminal's size.

import { columnsFor, formatCells, type TopColumn } from "./columns.ts";
import type { TopState } from "./keys.ts";
import { trafficSummary, utcTime } from "./numbers.ts";
import { type Painter, plainPainter } from "./paint.ts";
import { filterRows, type SectionName, sortRows, type TopReading, type TopRow } from "./rows.ts";

export type TerminalSize = { readonly columns: number; readonly rows: number };

/** Rows of problems; `waggle status` has them all. */
const maxProblems = 3;

/**
 * The screen, a string a line: never more lines than the terminal has rows, none wider than it is.
 *
 * @param notice what stands in the last line instead of the keys: why a reading is old
 */
export function screenLines(
  reading: TopReading,
  state: TopState,
  size: TerminalSize,
  paint: Painter = plainPainter,
  notice = "",
): readonly string[] {
  const head = headerLines(reading, state, size, paint);
  const foot = footerLine(state, size, paint, notice);
  const room = Math.max(0, size.rows - head.length - 1);
  const body = state.isHelpOpen ? helpLines(size.columns) : bodyLines(reading, state, size, paint);
  // Never past the end: the last rows stay in sight.
  const top = Math.min(state.scrollTop, Math.max(0, body.length - room));
  const shown = body.slice(top, top + room);
  const padding = Array.from({ length: room - shown.length }, () => "");
  return [...head, ...shown, ...padding, foot].slice(0, Math.max(1, size.rows));
}

/** All of it, for where there is no terminal. */
export function plainScreen(reading: TopReading, state: TopState, columns: number): string {
  const size = { columns, rows: Number.POSITIVE_INFINITY };
  const lines = [
    ...headerLines(reading, state, size, plainPainter),
    ...bodyLines(reading, state, size, plainPainter),
  ];
  return lines.map((line) => `${line.trimEnd()}\n`).join("");
}

function headerLines(
  reading: TopReading,
  state: TopState,
  { columns }: TerminalSize,
  paint: Painter,
): readonly string[] {
  const { mesh, url, atMs, total, problems, unmeasured } = reading;
  const first = `waggle top: ${mesh} at ${url}, ${utcTime(atMs)}${state.isPaused ? ", paused" : ""}`;
  const second = total === null ? unmeasured : `All requests: ${trafficSummary(total)}`;
  const shown = problems.slice(0, maxProblems).map((text) => paint("bad", truncate(`! ${text}`, columns)));
  const more = problems.length - shown.length;
  return [
    paint("strong", truncate(first, columns)),
    truncate(second, columns),
    ...(problems.length === 0 ? [paint("ok", truncate("Nothing is wrong.", columns))] : shown),
    ...(more > 0 ? [paint("bad", truncate(`! and ${more} more: waggle status`, columns))] : []),
    "",
  ];
}

function bodyLines(
  reading: TopReading,
  state: TopState,
  { columns }: TerminalSize,
  paint: Painter,
): readonly string[] {
  const names: readonly SectionName[] = state.view === "all" ? ["services", "nodes", "tasks"] : [state.view];
  return names.flatMap((name, index) => {
    const rows = sortRows(filterRows(reading.sections[name], state.filter), state.order);
    const lines = sectionLines(name, rows, state, columns, paint);
    return index === 0 ? lines : ["", ...lines];
  });
}

function sectionLines(
  name: SectionName,
  rows: readonly TopRow[],
  { order, filter }: TopState,
  width: number,
  paint: Painter,
): readonly string[] {
  const columns = columnsFor(name, rows, width);
  const heading = columns.map((column) => headingOf(column, order)).join(" ");
  const none = filter.trim() === "" ? `  no ${name.slice(0, -1)}` : `  none with "${filter.trim()}"`;
  return [
    paint("heading", truncate(heading.padEnd(Math.min(width, heading.length)), width)),
    ...(rows.length === 0 ? [paint("idle", truncate(none, width))] : []),
    ...rows.map((row) => paint(row.tone, truncate(formatCells(row, columns).join(" "), width))),
  ];
}

/** The column that the rows are sorted by says so. */
function headingOf(
  { heading, width, isRightAligned, sortColumn }: TopColumn,
  { by, reverse }: TopState["order"],
): string {
  const text = sortColumn === by ? `${heading}${reverse ? "↑" : "↓"}` : heading;
  return isRightAligned ? text.padStart(width) : text.padEnd(width);
}

function footerLine(
  { isTyping, filter }: TopState,
  { columns }: TerminalSize,
  paint: Painter,
  notice: string,
): string {
  if (isTyping) return truncate(`Filter: ${filter}_`, columns);
  const keys = "q quit  a/s/n/t what  </> sort  r reverse  / filter  space pause  ? help";
  const kept = filter === "" ? "" : `filter "${filter}" (esc clears)  `;
  return paint(notice === "" ? "idle" : "warn", truncate(notice === "" ? kept + keys : notice, columns));
}

/** At most so wide; names from outside cannot move the cursor. */
function truncate(text: string, columns: number): string {
  const safe = text.replace(/\p{C}/gu, "?");
  const points = [...safe];
  return points.length <= columns ? safe : `${points.slice(0, Math.max(0, columns - 1)).join("")}…`;
}

/** The keys of `waggle top`. */
const topHelpLines = [
  "a s n t     all, services, nodes, tasks; tab goes round",
  "N S R E L T sort by name, state, requests, errors, latency (p95), retries",
  "< >         sort by the column left or right of it; r turns the order round",
  "/           filter: type, then enter; esc clears it",
  "up down     scroll; page up, page down, home",
  "space       pause",
  "q           quit",
  "",
  "REQ/S and the columns right of it are of the last 10 seconds; ERR% are answers from 500 up",
  "and requests without one. P50, P95 and P99 are milliseconds to the first byte of an answer.",
  "",
  "Any key goes back.",
];

function helpLines(columns: number): readonly string[] {
  return topHelpLines.map((line) => [...line].slice(0, columns).join(""));
}
