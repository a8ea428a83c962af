// What became of each line of a configuration.

import type { Directive } from "./sections.ts";
import { printWords } from "./words.ts";

/** `taken`: the mesh does as it says. `as is`: it does so anyway. `could not`: it does not, and the note says why. */
export type LineOutcome = "taken" | "as is" | "could not";

export type Diagnostic = {
  readonly line: number;
  readonly text: string;
  readonly outcome: LineOutcome;
  readonly note: string;
};

/** `stats auth USER:PASSWORD` is printed without the password. */
function withoutSecret(words: readonly string[], word: string, at: number): string {
  return words[at - 1] === "auth" ? word.replace(/:.*/s, ":…") : word;
}

/** The remarks of a configuration in the making; a line has one of each kind at most. */
export class Diagnostics {
  readonly #diagnostics = new Map<string, Diagnostic>();

  add({ line, words }: Directive, outcome: LineOutcome, note = ""): void {
    const key = `${line} ${outcome} ${note}`;
    if (!this.#diagnostics.has(key))
      this.#diagnostics.set(key, {
        line,
        text: printWords(words.map((word, at) => withoutSecret(words, word, at))),
        outcome,
        note,
      });
  }

  /** By line. */
  all(): readonly Diagnostic[] {
    const all = [...this.#diagnostics.values()].sort((a, b) => a.line - b.line);
    // Of defaults a line may be taken for one proxy and without meaning for another.
    return all.filter(
      ({ line, outcome }) =>
        outcome !== "as is" || !all.some((other) => other.line === line && other.outcome === "taken"),
    );
  }
}
