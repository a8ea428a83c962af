// The diagnostics of an import: the outcome of each line of a configuration.

import type { Directive } from "./sections.ts";
import { printWords } from "./words.ts";

/**
 * `taken`: the line is imported. `as is`: the mesh does the same without it. `could not`: the mesh does not
 * support it; the note has the reason.
 */
export type LineOutcome = "taken" | "as is" | "could not";

export type Diagnostic = {
  readonly line: number;
  readonly text: string;
  readonly outcome: LineOutcome;
  readonly note: string;
};

/** Collects diagnostics. A repeated one counts once. */
export class Diagnostics {
  readonly #diagnostics = new Map<string, Diagnostic>();

  add({ line, words }: Directive, outcome: LineOutcome, note = ""): void {
    const key = `${line} ${outcome} ${note}`;
    if (!this.#diagnostics.has(key))
      this.#diagnostics.set(key, {
        line,
        text: printWords(words.map((word, at) => redact(word, words[at - 1]))),
        outcome,
        note,
      });
  }

  /** By line. */
  all(): readonly Diagnostic[] {
    const all = [...this.#diagnostics.values()].sort((a, b) => a.line - b.line);
    // A line of defaults may be taken for one proxy and have no effect on another.
    return all.filter(
      ({ line, outcome }) =>
        outcome !== "as is" || !all.some((other) => other.line === line && other.outcome === "taken"),
    );
  }
}

/** Removes the password of `stats auth USER:PASSWORD`. */
function redact(word: string, previous: string | undefined): string {
  return previous === "auth" ? word.replace(/:.*/s, ":…") : word;
}
