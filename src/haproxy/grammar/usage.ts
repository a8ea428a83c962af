// Usage lines of HAProxy keywords, in the notation of its manual, and the words that they match.
//
// `a | b` in parentheses is one of several forms, `[ ]` may be absent, and `{ a | b }` is any number of the
// forms in any order. `<name>` is a value; `(*)` at the end of a word stands for arguments in parentheses;
// `...` is any further words. The first form that matches applies, so longer forms come first.

import { didYouMean, suggest } from "../../domain/model/suggest.ts";

/** A word that cannot be read: its position in the line, and the reason. */
export type Misfit = { readonly at: number; readonly why: string };

/** The name of something that another line or section must define, such as a backend. */
export type Reference = { readonly kind: ReferenceKind; readonly name: string };
export type ReferenceKind =
  | "acl"
  | "backend"
  | "cache"
  | "fcgi-app"
  | "frontend"
  | "http-errors"
  | "lua"
  | "peers"
  | "resolvers"
  | "server"
  | "table"
  | "userlist";

/** Collects what the words of a line refer to. */
export type WordReading = { readonly references: Reference[] };

/** Reads a value at a position. @returns the position after it, or why the words are not such a value */
export type ValueReader = (words: readonly string[], at: number, reading: WordReading) => number | Misfit;

type Form =
  | { readonly kind: "word"; readonly word: string }
  | { readonly kind: "value"; readonly name: string; readonly read: ValueReader }
  | { readonly kind: "sequence"; readonly forms: readonly Form[] }
  | { readonly kind: "choice"; readonly forms: readonly Form[] }
  | { readonly kind: "optional"; readonly form: Form }
  | { readonly kind: "repeated"; readonly form: Form }
  | { readonly kind: "rest" };

/** A keyword with all of its usage lines. */
export type Usage = { readonly form: Form };

/** The usages of keywords, by the first word of their lines. */
export function compileUsages(
  text: string,
  values: ReadonlyMap<string, ValueReader>,
): ReadonlyMap<string, Usage> {
  const forms = new Map<string, Form[]>();
  for (const line of text.split("\n")) {
    const [keyword, ...tokens] = line.split(" ").filter((token) => token !== "");
    if (keyword === undefined) continue;
    forms.set(keyword, [...(forms.get(keyword) ?? []), new UsageParser(tokens, values).parse()]);
  }
  return new Map([...forms].map(([keyword, [...choices]]) => [keyword, { form: choiceOf(choices) }]));
}

class UsageParser {
  readonly #tokens: string[];
  readonly #values: ReadonlyMap<string, ValueReader>;

  constructor(tokens: readonly string[], values: ReadonlyMap<string, ValueReader>) {
    this.#tokens = [...tokens];
    this.#values = values;
  }

  parse(): Form {
    const choices: Form[][] = [[]];
    while (this.#tokens.length > 0) {
      const [token = ""] = this.#tokens;
      if (token === ")" || token === "]" || token === "}") break;
      this.#tokens.shift();
      if (token === "|") choices.push([]);
      else choices.at(-1)?.push(this.#formOf(token));
    }
    return choiceOf(choices.map((forms): Form => ({ kind: "sequence", forms })));
  }

  #formOf(token: string): Form {
    if (token === "...") return { kind: "rest" };
    const name = /^<(.+)>$/.exec(token)?.[1];
    if (name !== undefined) {
      const read = this.#values.get(name);
      if (read === undefined) throw new Error(`no reader of <${name}>`);
      return { kind: "value", name, read };
    }
    if (token !== "(" && token !== "[" && token !== "{") return { kind: "word", word: token };
    const form = this.parse();
    this.#tokens.shift();
    return token === "(" ? form : { kind: token === "[" ? "optional" : "repeated", form };
  }
}

function choiceOf(forms: readonly Form[]): Form {
  const [only] = forms;
  return forms.length === 1 && only !== undefined ? only : { kind: "choice", forms };
}

/**
 * Matches all words after the keyword.
 *
 * @returns null if they match, or the first word that no form explains
 */
export function matchUsage(
  { form }: Usage,
  words: readonly string[],
  from: number,
  reading: WordReading,
): Misfit | null {
  const matching = new UsageMatching(words, reading);
  const end = matching.match(form, from);
  return end === words.length ? null : matching.misfit(end ?? from);
}

class UsageMatching {
  readonly #words: readonly string[];
  readonly #reading: WordReading;
  #furthest = 0;
  #expected: string[] = [];
  #why: string | null = null;

  constructor(words: readonly string[], reading: WordReading) {
    this.#words = words;
    this.#reading = reading;
  }

  /** The position after the longest match of a form; null if it does not match. */
  match(form: Form, at: number): number | null {
    switch (form.kind) {
      case "word":
        return this.#matchWord(form.word, at);
      case "value":
        return this.#matchValue(form, at);
      case "rest":
        return this.#words.length;
      case "optional":
        return this.match(form.form, at) ?? at;
      case "repeated":
        return this.#matchRepeated(form.form, at);
      case "sequence":
        return this.#matchSequence(form.forms, at);
      case "choice":
        return this.#matchChoice(form.forms, at);
    }
  }

  #matchWord(word: string, at: number): number | null {
    const found = this.#words[at];
    if (found !== undefined && isWordOf(word, found)) return at + 1;
    this.#expect(at, word.replace("(*)", "(…)"));
    return null;
  }

  #matchValue({ name, read }: Extract<Form, { kind: "value" }>, at: number): number | null {
    if (this.#words[at] === undefined) {
      this.#expect(at, valueText(name));
      return null;
    }
    const end = read(this.#words, at, this.#reading);
    if (typeof end === "number") return end;
    this.#reach(end.at);
    if (end.at === this.#furthest) this.#why ??= end.why;
    return null;
  }

  #matchSequence(forms: readonly Form[], from: number): number | null {
    const before = this.#reading.references.length;
    let at = from;
    for (const form of forms) {
      const end = this.match(form, at);
      if (end === null) {
        this.#reading.references.length = before;
        return null;
      }
      at = end;
    }
    return at;
  }

  #matchChoice(forms: readonly Form[], at: number): number | null {
    for (const form of forms) {
      const end = this.match(form, at);
      if (end !== null) return end;
    }
    return null;
  }

  #matchRepeated(form: Form, from: number): number {
    let at = from;
    for (;;) {
      const end = this.match(form, at);
      if (end === null || end === at) return at;
      at = end;
    }
  }

  #reach(at: number): void {
    if (at <= this.#furthest) return;
    this.#furthest = at;
    this.#expected = [];
    this.#why = null;
  }

  #expect(at: number, what: string): void {
    this.#reach(at);
    if (at === this.#furthest && !this.#expected.includes(what)) this.#expected.push(what);
  }

  misfit(end: number): Misfit {
    this.#reach(end);
    const at = this.#furthest;
    const word = this.#words[at];
    const suggestion = word === undefined ? null : suggest(word, this.#expected);
    if (this.#why !== null && suggestion === null) return { at, why: this.#why };
    if (word === undefined) return { at, why: `it ends too early: add ${listOf(this.#expected)}` };
    if (suggestion !== null) return { at, why: `there is no "${word}"${didYouMean(suggestion)}` };
    if (this.#expected.length === 0) return { at, why: `unexpected word "${word}"` };
    if (this.#expected.length > maxListed) return { at, why: `there is no "${word}"` };
    return { at, why: `unexpected word "${word}": write ${listOf(this.#expected)}` };
  }
}

const maxListed = 12;

function listOf(expected: readonly string[]): string {
  if (expected.length > maxListed) return `${expected.slice(0, maxListed).join(", ")} …`;
  return expected.length < 2
    ? expected.join("")
    : `${expected.slice(0, -1).join(", ")} or ${expected.at(-1)}`;
}

/** Values whose names would not say what to write. */
const valueTexts: Readonly<Record<string, string>> = {
  ...{ binds: "*:PORT", "server-address": "HOST:PORT", "address:port": "HOST:PORT", "log-target": "ADDRESS" },
  ...{ n: "NUMBER", int: "NUMBER", atol: "NUMBER", positive: "NUMBER", weight: "NUMBER", word: "VALUE" },
  ...{
    fmt: "TEXT",
    regex: "PATTERN",
    cond: "if CONDITION",
    acl: "CRITERION",
    expr: "SAMPLE",
    interval: "TIME",
  },
  ...{ "status-list": "200-399" },
};

function valueText(name: string): string {
  return valueTexts[name] ?? name.toUpperCase();
}

/** True if a word has the form of a usage line's word; `(*)` is any text in parentheses. */
function isWordOf(form: string, word: string): boolean {
  if (!form.endsWith("(*)")) return form === word;
  const name = form.slice(0, -3);
  return word.startsWith(`${name}(`) && word.endsWith(")");
}
