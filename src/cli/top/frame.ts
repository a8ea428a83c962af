// The screen of `waggle top` as text: what was read, shown the way the state says, cut to the terminal's size.

import { type Column, cells, columnsFor } from "./columns.ts";
import { helpLines } from "./help.ts";
import type { TopState } from "./keys.ts";
import { figures } from "./numbers.ts";
import { type Painter, plain } from "./paint.ts";
import { matching, ordered, type Reading, type Row, type SectionName } from "./rows.ts";

export type Size = { readonly columns: number; readonly rows: number };

/** Rows of problems; `waggle status` has them all. */
const maxProblems = 3;

/**
 * The screen, a string a line: never more lines than the terminal has rows, none wider than it is.
 *
 * @param notice what stands in the last line instead of the keys: why a reading is old
 */
export function frame(
  reading: Reading,
  state: TopState,
  size: Size,
  paint: Painter = plain,
  notice = "",
): readonly string[] {
  const head = headLines(reading, state, size, paint);
  const foot = footLine(state, size, paint, notice);
  const room = Math.max(0, size.rows - head.length - 1);
  const body = state.help ? helpLines(size.columns) : bodyLines(reading, state, size, paint);
  // Never past the end: the last rows stay in sight.
  const top = Math.min(state.top, Math.max(0, body.length - room));
  const shown = body.slice(top, top + room);
  const padding = Array.from({ length: room - shown.length }, () => "");
  return [...head, ...shown, ...padding, foot].slice(0, Math.max(1, size.rows));
}

/** All of it, for where there is no terminal. */
export function snapshot(reading: Reading, state: TopState, columns: number): string {
  const size = { columns, rows: Number.POSITIVE_INFINITY };
  const lines = [...headLines(reading, state, size, plain), ...bodyLines(reading, state, size, plain)];
  return lines.map((line) => `${line.trimEnd()}\n`).join("");
}

function headLines(reading: Reading, state: TopState, { columns }: Size, paint: Painter): readonly string[] {
  const { mesh, url, atMs, total, problems, unmeasured } = reading;
  const time = new Date(atMs).toISOString().slice(11, 19);
  const first = `waggle top: ${mesh} at ${url}, ${time} UTC${state.paused ? ", paused" : ""}`;
  const second = total === null ? unmeasured : `All requests: ${figures(total)}`;
  const shown = problems.slice(0, maxProblems).map((text) => paint("bad", cut(`! ${text}`, columns)));
  const more = problems.length - shown.length;
  return [
    paint("strong", cut(first, columns)),
    cut(second, columns),
    ...(problems.length === 0 ? [paint("ok", cut("Nothing is wrong.", columns))] : shown),
    ...(more > 0 ? [paint("bad", cut(`! and ${more} more: waggle status`, columns))] : []),
    "",
  ];
}

function bodyLines(reading: Reading, state: TopState, { columns }: Size, paint: Painter): readonly string[] {
  const names: readonly SectionName[] = state.view === "all" ? ["services", "nodes", "tasks"] : [state.view];
  return names.flatMap((name, index) => {
    const rows = ordered(matching(reading.sections[name], state.filter), state.order);
    const lines = sectionLines(name, rows, state, columns, paint);
    return index === 0 ? lines : ["", ...lines];
  });
}

function sectionLines(
  name: SectionName,
  rows: readonly Row[],
  { order, filter }: TopState,
  width: number,
  paint: Painter,
): readonly string[] {
  const columns = columnsFor(name, rows, width);
  const heading = columns.map((column) => headingOf(column, order)).join(" ");
  const none = filter.trim() === "" ? `  no ${name.slice(0, -1)}` : `  none with "${filter.trim()}"`;
  return [
    paint("heading", cut(heading.padEnd(Math.min(width, heading.length)), width)),
    ...(rows.length === 0 ? [paint("idle", cut(none, width))] : []),
    ...rows.map((row) => paint(row.tone, cut(cells(row, columns).join(" "), width))),
  ];
}

/** The column that the rows are sorted by says so. */
function headingOf({ heading, width, right, sorts }: Column, { by, reverse }: TopState["order"]): string {
  const text = sorts === by ? `${heading}${reverse ? "↑" : "↓"}` : heading;
  return right ? text.padStart(width) : text.padEnd(width);
}

function footLine({ typing, filter }: TopState, { columns }: Size, paint: Painter, notice: string): string {
  if (typing) return cut(`Filter: ${filter}_`, columns);
  const keys = "q quit  a/s/n/t what  </> sort  r reverse  / filter  space pause  ? help";
  const kept = filter === "" ? "" : `filter "${filter}" (esc clears)  `;
  return paint(notice === "" ? "idle" : "warn", cut(notice === "" ? kept + keys : notice, columns));
}

/** At most so wide; names from outside cannot move the cursor. */
function cut(text: string, columns: number): string {
  const safe = text.replace(/\p{C}/gu, "?");
  const points = [...safe];
  return points.length <= columns ? safe : `${points.slice(0, Math.max(0, columns - 1)).join("")}…`;
}
