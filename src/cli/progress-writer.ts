// Puts lines that change on a terminal in place; elsewhere, prints each line once, when it first says so.

import type { TextSink } from "./cli.ts";

export type ProgressWriter = {
  /** Width to cut lines to, as progress.ts takes it: null where there is no terminal. */
  readonly columns: number | null;
  /** Shows these lines instead of the ones before. */
  show(lines: readonly string[]): void;
};

// A terminal that does not know its width says 0.
const defaultColumns = 80;

/** A writer on `out`; nothing else may write there while lines change. */
export function createProgressWriter(out: TextSink): ProgressWriter {
  let before: readonly string[] = [];
  const write = out.isTTY ? repaint : newLines;
  return {
    columns: out.isTTY ? out.columns || defaultColumns : null,
    show: (lines) => {
      const text = write(before, lines);
      if (text !== "") out.write(text);
      before = lines;
    },
  };
}

/** Goes up over the lines before, rewrites each, and clears what is left of them. */
function repaint(before: readonly string[], lines: readonly string[]): string {
  if (before.join("\n") === lines.join("\n")) return "";
  const up = before.length === 0 ? "" : `\x1b[${before.length}A`;
  const clearRest = before.length > lines.length ? "\x1b[J" : "";
  return up + lines.map((line) => `\x1b[2K${line}\n`).join("") + clearRest;
}

function newLines(before: readonly string[], lines: readonly string[]): string {
  return lines
    .filter((line) => !before.includes(line))
    .map((line) => `${line}\n`)
    .join("");
}
