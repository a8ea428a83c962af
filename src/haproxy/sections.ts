// The sections of haproxy.cfg and their directives, with line numbers.

import { didYouMean, suggest } from "../domain/model/suggest.ts";
import { combinationMisfit } from "./grammar/combinations.ts";
import { isAllowedIn } from "./grammar/placement.ts";
import { proxyUsages } from "./grammar/proxy-usage.ts";
import { otherSectionKinds, otherSectionUsages } from "./grammar/section-usage.ts";
import { matchUsage, type Reference } from "./grammar/usage.ts";
import { Preprocessor } from "./preprocessor.ts";
import { ConfigError, type ConfigVariables, expandAddress, splitWords } from "./words.ts";

/** A line with words. */
export type Directive = {
  readonly line: number;
  readonly words: readonly string[];
  /** What the line refers to; other lines or sections must define it. */
  readonly references: readonly Reference[];
  /** Names of variables in it that are not set. */
  readonly unset: readonly string[];
};

export type ConfigSection = {
  /** `global`, `defaults`, `frontend`, `backend`, `listen`, or another keyword of HAProxy. */
  readonly kind: string;
  readonly name: string;
  readonly line: number;
  readonly directives: readonly Directive[];
  /** Directives of the `defaults` sections that apply, first the inherited ones. */
  readonly defaults: readonly Directive[];
};

type OpenSection = ConfigSection & { readonly directives: Directive[] };

const proxyKinds = ["frontend", "backend", "listen"];
const sectionKinds: readonly string[] = [...otherSectionKinds, "defaults", ...proxyKinds];

export function isProxyKind(kind: string): boolean {
  return proxyKinds.includes(kind);
}

/** Reads a whole file. Lines that cannot be read are in `errors` and do not affect the others. */
export function readSections(
  text: string,
  env: ConfigVariables,
): { readonly sections: readonly ConfigSection[]; readonly errors: readonly ConfigError[] } {
  return new SectionReader(env).read(text);
}

class SectionReader {
  readonly #initialEnv: ConfigVariables;
  #env: ConfigVariables;
  readonly #sections: OpenSection[] = [];
  readonly #errors: ConfigError[] = [];
  readonly #preprocessor = new Preprocessor();

  constructor(env: ConfigVariables) {
    this.#initialEnv = env;
    this.#env = env;
  }

  read(text: string) {
    for (const [index, lineText] of text.split("\n").entries()) {
      try {
        // HAProxy ends a line at a carriage return.
        this.#readLine(lineText.replace(/\r.*$/s, ""), index + 1);
      } catch (error) {
        if (!(error instanceof ConfigError)) throw error;
        this.#errors.push(error);
      }
    }
    const unfinished = this.#preprocessor.unfinished();
    if (unfinished !== null) this.#errors.push(unfinished);
    return { sections: this.#sections, errors: this.#errors };
  }

  #readLine(text: string, line: number): void {
    // A scope, which HAProxy reads and does not use.
    if (/^\s*\[/.test(text)) return;
    const { words, unset } = splitWords(text, line, this.#env);
    const [head] = words;
    if (head === undefined || head === "") return;
    if (head.startsWith(".")) this.#preprocessor.read(words, line, this.#env);
    else if (!this.#preprocessor.isApplied) return;
    else if (sectionKinds.includes(head)) this.#sections.push(beginSection(this.#sections, words, line));
    else this.#addDirective(words, unset, line);
  }

  #addDirective(words: readonly string[], unset: readonly string[], line: number): void {
    const section = this.#sections.at(-1);
    const [head = ""] = words;
    if (section === undefined) {
      const suggestion = suggest(head, sectionKinds);
      const what = `"${head}" is before any section`;
      const write = suggestion === null ? ": begin with global, defaults, frontend, backend or listen" : "";
      throw new ConfigError(line, `${what}${write}${didYouMean(suggestion)}`);
    }
    const at = addressPositions.get(head);
    const address = at === undefined ? undefined : words[at];
    const expanded = address === undefined ? { text: "", unset: [] } : expandAddress(address, this.#env);
    const allWords = words.map((word, index) => (index === at ? expanded.text : word));
    const allUnset = [...unset, ...expanded.unset];
    const references = checkWords(section, allWords, allUnset, line);
    section.directives.push({ line, words: allWords, references, unset: allUnset });
    if (section.kind === "global") this.#changeEnv(allWords);
  }

  /** The variables that the global section sets apply to the lines after it. */
  #changeEnv([head, name = "", value = ""]: readonly string[]): void {
    const isSet = Object.hasOwn(this.#env, name) && this.#env[name] !== undefined;
    if (head === "setenv" || (head === "presetenv" && !isSet)) this.#env = { ...this.#env, [name]: value };
    else if (head === "unsetenv") this.#env = { ...this.#env, [name]: undefined };
    else if (head === "resetenv") this.#env = this.#initialEnv;
  }
}

/** Where lines have their address, in which HAProxy replaces variables outside of quotes as well. */
const addressPositions: ReadonlyMap<string, number> = new Map(
  Object.entries({
    ...{ bind: 1, "dgram-bind": 1, dispatch: 1, log: 1, source: 1 },
    ...{ mailer: 2, nameserver: 2, peer: 2, server: 2, "server-template": 3 },
  }),
);

/** HAProxy ignores these in a backend, and `stick` in a frontend, and does not read their words. */
const unreadInBackends: ReadonlySet<string> = new Set(["log-format", "log-format-sd", "error-log-format"]);

/** Checks a line against the grammar of its section. @throws ConfigError */
function checkWords(
  { kind, name }: ConfigSection,
  words: readonly string[],
  unset: readonly string[],
  line: number,
): readonly Reference[] {
  const [head = ""] = words;
  const usages = otherSectionUsages(kind) ?? proxyUsages;
  const usage = usages.get(head);
  if (usage === undefined) {
    const hint = didYouMean(suggest(head, [...usages.keys(), ...sectionKinds]));
    throw new ConfigError(line, `unknown keyword "${head}" in a ${kind}${hint}`);
  }
  if (usages === proxyUsages && !isAllowedIn(kind, name, words))
    throw new ConfigError(line, `${head} is not possible in a ${kind} section`);
  const references: Reference[] = [];
  if (kind === "backend" && unreadInBackends.has(head)) return references;
  if (kind === "frontend" && head === "stick") return references;
  const misfit = matchUsage(usage, words, 1, { references });
  if (misfit === null) {
    const why = combinationMisfit(words);
    if (why === null) return references;
    throw new ConfigError(line, `${head}: ${why}`);
  }
  const context = contextOf(words.slice(0, misfit.at));
  const missing = unset.length === 0 ? "" : ` (not set: ${unset.join(", ")})`;
  throw new ConfigError(line, `${context}: ${misfit.why}${missing}`);
}

/** The words before one that cannot be read, shortened to the first two and the last one. */
function contextOf(words: readonly string[]): string {
  return words.length < 4 ? words.join(" ") : [...words.slice(0, 2), "…", words.at(-1)].join(" ");
}

function beginSection(
  earlier: readonly ConfigSection[],
  words: readonly string[],
  line: number,
): OpenSection {
  const [kind = ""] = words;
  const { name, from } = headingOf(words, line);
  const namesake = earlier.find((other) => other.name === name && isNameConflict(other.kind, kind));
  if (namesake !== undefined) {
    const taken = `the ${namesake.kind} at line ${namesake.line} has the same name`;
    throw new ConfigError(line, `cannot define ${kind} ${name}: ${taken}`);
  }
  const inherited = kind === "defaults" ? (from === null ? [] : defaultsOf(earlier, from, line)) : [];
  const defaults = isProxyKind(kind) ? defaultsOf(earlier, from, line) : [];
  return { kind, name, line, directives: [...inherited], defaults };
}

/** Reads `KIND [NAME] [from DEFAULTS]`. */
function headingOf(
  words: readonly string[],
  line: number,
): { readonly name: string; readonly from: string | null } {
  const [kind = "", ...rest] = words;
  if (kind === "defaults" && rest[0] === "from" && rest.length === 2)
    return { name: "", from: rest[1] ?? "" };
  const [name = "", word, from = null] = rest;
  // HAProxy ignores other words after the name of a defaults section.
  if (kind === "defaults") return { name, from: word === "from" ? from : null };
  const isUnnamed = kind === "global" || kind === "traces";
  if (isUnnamed && name !== "") throw new ConfigError(line, `${kind} has a word after it: "${name}"`);
  if (name === "" && !isUnnamed) throw new ConfigError(line, `${kind} has no name: write "${kind} NAME"`);
  const isInherited = isProxyKind(kind) && word === "from" && from !== null && rest.length === 3;
  if (word !== undefined && !isInherited) {
    const write = isProxyKind(kind) ? ": write addresses as bind lines" : "";
    throw new ConfigError(line, `${kind} ${name} has a word after its name: "${word}"${write}`);
  }
  const invalid = /[^\w.:-]/.exec(name)?.[0];
  if (invalid !== undefined)
    throw new ConfigError(
      line,
      `"${invalid}" is not possible in the name ${name}: use letters, digits, _, -, . and :`,
    );
  return { name, from };
}

/** A frontend and a backend may share a name; a listen is both. */
function isNameConflict(a: string, b: string): boolean {
  if (!isProxyKind(a) || !isProxyKind(b)) return a === b && a !== "defaults" && a !== "global";
  return a === b || a === "listen" || b === "listen";
}

function defaultsOf(
  earlier: readonly ConfigSection[],
  from: string | null,
  line: number,
): readonly Directive[] {
  const defaults = earlier.findLast(
    ({ kind, name }) => kind === "defaults" && (from === null || name === from),
  );
  if (from !== null && defaults === undefined) {
    throw new ConfigError(line, `"defaults ${from}" is not defined above`);
  }
  return defaults?.directives ?? [];
}
