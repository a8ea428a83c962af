// The diagnostics of an import: the outcome of each line of a configuration.

import type { Directive } from "./sections.ts";
import { printWords } from "./words.ts";

/**
 * `taken`: the mesh does what the line says. `as is`: requests are treated the same without it. `could not`:
 * the mesh does not do what it says; the note has the reason. A line that is taken in part has both.
 */
export type LineOutcome = "taken" | "as is" | "could not";

export type Diagnostic = {
  readonly line: number;
  readonly text: string;
  readonly outcome: LineOutcome;
  readonly note: string;
};

/** A line, or the head of a section. */
export type DiagnosedLine = Pick<Directive, "line" | "words">;

/** Collects diagnostics. A repeated one counts once. */
export class Diagnostics {
  readonly #byLine = new Map<number, Diagnostic[]>();

  add({ line, words }: DiagnosedLine, outcome: LineOutcome, note = ""): void {
    this.#addDiagnostic({ line, text: printWords(redacted(words)), outcome, note });
  }

  addAll(others: Diagnostics): void {
    for (const diagnostic of [...others.#byLine.values()].flat()) this.#addDiagnostic(diagnostic);
  }

  #addDiagnostic(diagnostic: Diagnostic): void {
    const { line, outcome, note } = diagnostic;
    const ofLine = this.#byLine.get(line) ?? [];
    if (ofLine.some((other) => other.outcome === outcome && other.note === note)) return;
    this.#byLine.set(line, [...ofLine, diagnostic]);
  }

  /** True if the line has this outcome, or, without one, any. */
  has({ line }: DiagnosedLine, outcome?: LineOutcome): boolean {
    const ofLine = this.#byLine.get(line) ?? [];
    return ofLine.some((other) => outcome === undefined || other.outcome === outcome);
  }

  /** By line, and of each line what is taken of it first. */
  all(): readonly Diagnostic[] {
    const lines = [...this.#byLine].sort(([a], [b]) => a - b);
    return lines.flatMap(([, ofLine]) => {
      // A line of defaults may be taken for one proxy and have no effect on another.
      const effective = ofLine.filter(({ outcome }) => outcome !== "as is");
      const shown = effective.length === 0 ? ofLine : effective;
      return shown.toSorted((a, b) => Number(b.outcome === "taken") - Number(a.outcome === "taken"));
    });
  }
}

const secretWords: ReadonlySet<string> = new Set([
  ...["auth", "password", "insecure-password", "dynamic-cookie-key", "ca-sign-pass"],
]);

/** Removes passwords and keys: the word after `stats auth`, `password` and the like. */
function redacted(words: readonly string[]): readonly string[] {
  return words.map((word, at) => {
    const previous = words[at - 1] ?? "";
    if (!secretWords.has(previous)) return word;
    return previous === "auth" ? word.replace(/:.*/s, ":…") : "…";
  });
}
