// The sections of haproxy.cfg and the directives in them, with the numbers of their lines.

import { ConfigError, type ConfigVariables, splitWords } from "./words.ts";

/** One line that says something. */
export type Directive = { readonly line: number; readonly words: readonly string[] };

export type ConfigSection = {
  /** `global`, `defaults`, `frontend`, `backend`, `listen`, or another that HAProxy has. */
  readonly kind: string;
  readonly name: string;
  readonly line: number;
  readonly directives: readonly Directive[];
  /** Directives of the defaults that apply. */
  readonly defaults: readonly Directive[];
};

/** Sections HAProxy has besides those that are read. */
const otherSectionKinds = [
  ...["userlist", "peers", "resolvers", "mailers", "cache", "program", "http-errors", "ring"],
  ...["log-forward", "log-profile", "fcgi-app", "crt-store", "acme", "traces"],
];
const proxyKinds = ["frontend", "backend", "listen"];
const sectionKinds = new Set(["global", "defaults", ...proxyKinds, ...otherSectionKinds]);

/** Reads a whole file; every line that cannot be read is in `errors`, and no other is lost for it. */
export function readSections(
  text: string,
  env: ConfigVariables,
): { readonly sections: readonly ConfigSection[]; readonly errors: readonly ConfigError[] } {
  const sections: (ConfigSection & { directives: Directive[] })[] = [];
  const errors: ConfigError[] = [];
  for (const [index, raw] of text.split(/\r?\n/).entries()) {
    const line = index + 1;
    try {
      const words = splitWords(raw, line, env);
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
    throw new ConfigError(line, `${head} is not read: write the lines that apply, without conditions`);
  }
  if (section === undefined) {
    throw new ConfigError(
      line,
      `"${head}" stands before any section: begin with global, defaults, frontend, backend or listen`,
    );
  }
  section.directives.push(directive);
}

function beginSection(before: readonly ConfigSection[], words: readonly string[], line: number) {
  const [kind = "", name = ""] = words;
  const isProxy = proxyKinds.includes(kind);
  if (isProxy && name === "") throw new ConfigError(line, `${kind} has no name: write "${kind} NAME"`);
  const twin = before.find(
    (one) => isProxy && one.kind !== "defaults" && one.name === name && isNameConflict(one.kind, kind),
  );
  if (twin !== undefined) {
    throw new ConfigError(line, `${kind} ${name} has the name of the ${twin.kind} at line ${twin.line}`);
  }
  return { kind, name, line, directives: [], defaults: isProxy ? defaultsOf(before, words, line) : [] };
}

/** A frontend and a backend may share a name; a listen is both. */
function isNameConflict(a: string, b: string): boolean {
  return proxyKinds.includes(a) && (a === b || a === "listen" || b === "listen");
}

function defaultsOf(
  before: readonly ConfigSection[],
  words: readonly string[],
  line: number,
): readonly Directive[] {
  const from = words[2] === "from" ? words[3] : undefined;
  const found = before.findLast(
    ({ kind, name }) => kind === "defaults" && (from === undefined || name === from),
  );
  if (from !== undefined && found === undefined) {
    throw new ConfigError(line, `there is no "defaults ${from}" before this line`);
  }
  return found?.directives ?? [];
}
