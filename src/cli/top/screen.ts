// Renders a reading of `waggle top` as lines of text that fit the terminal.

import { unprintable } from "../../domain/model/printable.ts";
import { columnsFor, formatCells, type TopColumn } from "./columns.ts";
import type { TopState } from "./keys.ts";
import { trafficSummary, utcTime } from "./numbers.ts";
import { type Painter, plainPainter } from "./paint.ts";
import { filterRows, type SectionName, sortRows, type TopReading, type TopRow } from "./rows.ts";

/** Measurements older than this are shown with their age, milliseconds; while top reads on, they are younger. */
const agedMs = 5_000;

export type TerminalSize = { readonly columns: number; readonly rows: number };

/** Problems shown; `waggle status` lists all. */
const maxProblems = 3;

/**
 * The screen, one string per line; never more lines or wider lines than the terminal has.
 *
 * @param notice replaces the list of keys in the last line; empty shows the keys
 * @see docs/decisions/0045-top-in-plain-ansi.md
 */
export function screenLines(
  reading: TopReading,
  state: TopState,
  size: TerminalSize,
  paint: Painter = plainPainter,
  notice = "",
): readonly string[] {
  const header = headerLines(reading, state, size, paint);
  const footer = footerLine(state, size, paint, notice);
  const bodyRows = Math.max(0, size.rows - header.length - 1);
  const body = state.isHelpOpen ? helpLines(size.columns) : bodyLines(reading, state, size, paint);
  // Scrolling stops when the last row is visible.
  const top = Math.min(state.scrollTop, Math.max(0, body.length - bodyRows));
  const visible = body.slice(top, top + bodyRows);
  const padding = Array.from({ length: bodyRows - visible.length }, () => "");
  return [...header, ...visible, ...padding, footer].slice(0, Math.max(1, size.rows));
}

/** The whole screen, for output that is not a terminal. */
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
  const { mesh, url, atMs, total, ageMs, problems, unmeasured } = reading;
  const title = `waggle top: ${mesh} at ${url}, ${utcTime(atMs)}${state.isPaused ? ", paused" : ""}`;
  const age = ageMs < agedMs ? "" : `, until ${Math.round(ageMs / 1_000)} s ago`;
  const traffic = total === null ? unmeasured : `All requests${age}: ${trafficSummary(total)}`;
  const first = problems.slice(0, maxProblems).map((text) => paint("bad", truncate(`! ${text}`, columns)));
  const more = problems.length - first.length;
  return [
    paint("strong", truncate(title, columns)),
    truncate(traffic, columns),
    ...(problems.length === 0 ? [paint("ok", truncate("No problems.", columns))] : first),
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
  const none = filter.trim() === "" ? `  no ${name}` : `  no ${name} match "${filter.trim()}"`;
  return [
    paint("heading", truncate(heading.padEnd(Math.min(width, heading.length)), width)),
    ...(rows.length === 0 ? [paint("idle", truncate(none, width))] : []),
    ...rows.map((row) => paint(row.tone, truncate(formatCells(row, columns).join(" "), width))),
  ];
}

/** A heading; an arrow marks the column that the rows are sorted by. */
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
  const keys = "q quit  a/s/n/t view  </> sort  r reverse  / filter  space pause  ? help";
  const activeFilter = filter === "" ? "" : `filter "${filter}" (esc clears)  `;
  return paint(notice === "" ? "idle" : "warn", truncate(notice || activeFilter + keys, columns));
}

/** Cuts to a width, and replaces control characters, so that names from outside cannot move the cursor. */
function truncate(text: string, columns: number): string {
  const safe = text.replace(unprintable, "?");
  const points = [...safe];
  return points.length <= columns ? safe : `${points.slice(0, Math.max(0, columns - 1)).join("")}…`;
}

/** The keys of `waggle top`. */
const topHelpLines = [
  "a s n t     view all, services, nodes, tasks; tab switches to the next view",
  "N S R E L T sort by name, state, requests, errors, latency (p95), retries",
  "< >         sort by the previous or next column; r reverses the order",
  "/           filter: type text, then enter; esc clears the filter",
  "up down     scroll; page up, page down, home",
  "space       pause",
  "q           quit",
  "",
  "REQ/S and the columns to its right cover the last 10 to 20 seconds. ERR% is the share of requests",
  "with status 5xx or without a response. P50, P95 and P99 are milliseconds to the first byte.",
  "",
  "Press any key to close.",
];

function helpLines(columns: number): readonly string[] {
  return topHelpLines.map((line) => [...line].slice(0, columns).join(""));
}
