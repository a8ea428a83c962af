// Updates progress lines in place on a terminal; elsewhere prints each new line once.

import { printable } from "../domain/model/printable.ts";
import type { TextSink } from "./cli.ts";
import { writeRaw } from "./output.ts";

export type ProgressWriter = {
  /** Width of the terminal, for progress.ts; null if the output is not a terminal. */
  readonly columns: number | null;
  /** Replaces the previous lines. */
  show(lines: readonly string[]): void;
};

// Used when a terminal reports a width of 0.
const defaultColumns = 80;

/** Creates a writer on `out`. Other output to `out` must wait until the progress ends. */
export function createProgressWriter(out: TextSink): ProgressWriter {
  let previous: readonly string[] = [];
  const write = out.isTTY ? repaint : addedLines;
  return {
    columns: out.isTTY ? out.columns || defaultColumns : null,
    show: (newLines) => {
      const lines = newLines.map(printable);
      const text = write(previous, lines);
      if (text !== "") writeRaw(out, text);
      previous = lines;
    },
  };
}

/** Moves up to the first previous line, rewrites all lines, and clears the rest of the previous ones. */
function repaint(previous: readonly string[], lines: readonly string[]): string {
  if (previous.join("\n") === lines.join("\n")) return "";
  const up = previous.length === 0 ? "" : `\x1b[${previous.length}A`;
  const clearRest = previous.length > lines.length ? "\x1b[J" : "";
  return up + lines.map((line) => `\x1b[2K${line}\n`).join("") + clearRest;
}

function addedLines(previous: readonly string[], lines: readonly string[]): string {
  return lines
    .filter((line) => !previous.includes(line))
    .map((line) => `${line}\n`)
    .join("");
}
