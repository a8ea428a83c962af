// The sections of haproxy.cfg and their directives, with line numbers.

import { ConfigError, type ConfigVariables, splitWords } from "./words.ts";

/** A line with words. */
export type Directive = { readonly line: number; readonly words: readonly string[] };

export type ConfigSection = {
  /** `global`, `defaults`, `frontend`, `backend`, `listen`, or another keyword of HAProxy. */
  readonly kind: string;
  readonly name: string;
  readonly line: number;
  readonly directives: readonly Directive[];
  /** Directives of the `defaults` section that applies. */
  readonly defaults: readonly Directive[];
};

/** Sections of HAProxy that are not imported. */
const otherSectionKinds = [
  ...["userlist", "peers", "resolvers", "mailers", "cache", "program", "http-errors", "ring"],
  ...["log-forward", "log-profile", "fcgi-app", "crt-store", "acme", "traces"],
];
const proxyKinds = ["frontend", "backend", "listen"];
const sectionKinds = new Set(["global", "defaults", ...proxyKinds, ...otherSectionKinds]);

/** Reads a whole file. Lines that cannot be read are in `errors` and do not affect the others. */
export function readSections(
  text: string,
  env: ConfigVariables,
): { readonly sections: readonly ConfigSection[]; readonly errors: readonly ConfigError[] } {
  const sections: (ConfigSection & { directives: Directive[] })[] = [];
  const errors: ConfigError[] = [];
  for (const [index, lineText] of text.split(/\r?\n/).entries()) {
    const line = index + 1;
    try {
      const words = splitWords(lineText, line, env);
      const [head] = words;
      if (head === undefined) continue;
      if (sectionKinds.has(head)) sections.push(beginSection(sections, words, line));
      else addDirective(sections.at(-1), { line, words });
    } catch (error) {
      if (!(error instanceof ConfigError)) throw error;
      errors.push(error);
    }
  }
  return { sections, errors };
}

function addDirective(section: { directives: Directive[] } | undefined, directive: Directive): void {
  const { line, words } = directive;
  const [head = ""] = words;
  if (head.startsWith(".")) {
    throw new ConfigError(line, `${head} is not supported: write the lines that apply, without conditions`);
  }
  if (section === undefined) {
    throw new ConfigError(
      line,
      `"${head}" is before any section: begin with global, defaults, frontend, backend or listen`,
    );
  }
  section.directives.push(directive);
}

function beginSection(earlier: readonly ConfigSection[], words: readonly string[], line: number) {
  const [kind = "", name = ""] = words;
  const isProxy = proxyKinds.includes(kind);
  if (isProxy && name === "") throw new ConfigError(line, `${kind} has no name: write "${kind} NAME"`);
  const namesake = earlier.find((other) => other.name === name && isNameConflict(other.kind, kind));
  if (namesake !== undefined) {
    const taken = `the ${namesake.kind} at line ${namesake.line} has the same name`;
    throw new ConfigError(line, `cannot define ${kind} ${name}: ${taken}`);
  }
  return { kind, name, line, directives: [], defaults: isProxy ? defaultsOf(earlier, words, line) : [] };
}

/** A frontend and a backend may share a name; a listen is both. */
function isNameConflict(a: string, b: string): boolean {
  if (!proxyKinds.includes(a) || !proxyKinds.includes(b)) return false;
  return a === b || a === "listen" || b === "listen";
}

function defaultsOf(
  earlier: readonly ConfigSection[],
  words: readonly string[],
  line: number,
): readonly Directive[] {
  const from = words[2] === "from" ? words[3] : undefined;
  const defaults = earlier.findLast(
    ({ kind, name }) => kind === "defaults" && (from === undefined || name === from),
  );
  if (from !== undefined && defaults === undefined) {
    throw new ConfigError(line, `"defaults ${from}" is not defined above`);
  }
  return defaults?.directives ?? [];
}
