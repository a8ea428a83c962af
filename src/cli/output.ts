// Prints tables, spaced as Docker spaces them, and lines.

import { printable, printableLines } from "../domain/model/printable.ts";
import type { TextSink } from "./cli.ts";

// The settings of Docker's tab writer: a column is as wide as its widest cell plus the padding, but not below
// the minimum.
const minColumnWidth = 10;
const columnPadding = 3;

/**
 * The same sink for text from outside: what a terminal could act on is written as an escape. Every verb writes
 * through one; text that must stay on its line goes through `printable` before.
 */
export function printableSink(sink: TextSink): TextSink {
  return {
    write: (text) => sink.write(printableLines(text)),
    writeRaw: (text) => sink.write(text),
    get isTTY() {
      return sink.isTTY;
    },
    get columns() {
      return sink.columns;
    },
    get rows() {
      return sink.rows;
    },
    on: (event, listener) => sink.on?.(event, listener),
    off: (event, listener) => sink.off?.(event, listener),
  };
}

/**
 * Writes text with escape sequences of this program's own; it must have no text from outside, unless the user
 * asked for that text as it is.
 */
export function writeRaw(sink: TextSink, text: string): unknown {
  return sink.writeRaw === undefined ? sink.write(text) : sink.writeRaw(text);
}

/** Formats a table, headings first. The last column is not padded. */
export function formatTable(headings: readonly string[], rows: readonly (readonly string[])[]): string {
  const lines = [headings, ...rows.map((cells) => cells.map(printable))];
  const widths = headings.map((_, column) =>
    Math.max(minColumnWidth, ...lines.map((cells) => displayWidth(cells[column] ?? "") + columnPadding)),
  );
  return lines.map((cells) => `${tableLine(cells, widths)}\n`).join("");
}

function tableLine(cells: readonly string[], widths: readonly number[]): string {
  const last = widths.length - 1;
  return widths
    .map((columnWidth, column) => {
      const cell = cells[column] ?? "";
      return column === last ? cell : cell + " ".repeat(columnWidth - displayWidth(cell));
    })
    .join("");
}

/** Width on a terminal: one column per code point, which is right for names. */
function displayWidth(text: string): number {
  return [...text].length;
}

/** Prints lines, each with a newline; none can begin another one. */
export function printLines(out: TextSink, lines: readonly string[]): void {
  if (lines.length > 0) out.write(`${lines.map(printable).join("\n")}\n`);
}

/** Cuts a text to `max` characters, with an ellipsis. */
export function ellipsis(text: string, max: number): string {
  return text.length > max ? `${text.slice(0, max - 1)}…` : text;
}

/** Upper-cases the first letter, as Docker prints states. */
export function capitalize(text: string): string {
  return text.slice(0, 1).toUpperCase() + text.slice(1);
}

/** Compares with numbers by value: web2 before web10. */
export function compareNaturally(a: string, b: string): number {
  const left = a.match(/\d+|\D+/g) ?? [];
  const right = b.match(/\d+|\D+/g) ?? [];
  for (const [index, part] of left.entries()) {
    const other = right[index];
    if (other === undefined) return 1;
    if (part === other) continue;
    const numbers = /^\d/.test(part) && /^\d/.test(other) ? Number(part) - Number(other) : 0;
    return numbers !== 0 ? numbers : part < other ? -1 : 1;
  }
  return left.length - right.length;
}
