// Checks that everything a configuration refers to is defined in it: backends, ACLs, servers, tables and other
// sections.

import { didYouMean, suggest } from "../domain/model/suggest.ts";
import { predefinedAclNames } from "./grammar/condition-words.ts";
import type { Reference, ReferenceKind } from "./grammar/usage.ts";
import { type ConfigSection, type Directive, isProxyKind } from "./sections.ts";
import { ConfigError } from "./words.ts";

type Names = ReadonlyMap<ReferenceKind, ReadonlySet<string>>;

/** The errors of references to names that are not defined. HAProxy does not check disabled proxies. */
export function undefinedReferences(sections: readonly ConfigSection[]): readonly ConfigError[] {
  const names = definedNames(sections);
  const checked = sections.filter(({ kind }) => isProxyKind(kind) || kind === "peers" || kind === "fcgi-app");
  return [
    ...sections.filter(({ kind }) => kind === "userlist").flatMap(userlistErrors),
    ...sections.filter(({ kind }) => kind === "backend" || kind === "listen").flatMap(duplicateServers),
    ...checked.filter((section) => !isDisabled(section)).flatMap((section) => errorsOf(section, names)),
  ];
}

/** True if the last of the lines `disabled` and `enabled` is `disabled`. */
export function isDisabled({ defaults, directives }: ConfigSection): boolean {
  const last = [...defaults, ...directives].findLast(
    ({ words: [head] }) => head === "disabled" || head === "enabled",
  );
  return last?.words[0] === "disabled";
}

function definedNames(sections: readonly ConfigSection[]): Names {
  const namesOf = (...kinds: readonly string[]) =>
    new Set(sections.filter(({ kind }) => kinds.includes(kind)).map(({ name }) => name));
  const linesOf = (head: string) =>
    sections.flatMap((section) =>
      section.directives.filter(({ words }) => words[0] === head).map(({ words }) => ({ section, words })),
    );
  const tables = linesOf("stick-table").map(({ section }) => section.name);
  const peerTables = linesOf("table").map(({ section, words }) => `${section.name}/${words[1]}`);
  const luaFiles = [...linesOf("lua-load"), ...linesOf("lua-load-per-thread")];
  return new Map<ReferenceKind, ReadonlySet<string>>([
    ["backend", namesOf("backend", "listen")],
    ["cache", namesOf("cache")],
    ["fcgi-app", namesOf("fcgi-app")],
    ["frontend", namesOf("frontend", "listen")],
    ["http-errors", namesOf("http-errors")],
    ["lua", new Set(luaFiles.length === 0 ? [] : ["lua"])],
    ["peers", namesOf("peers")],
    ["resolvers", new Set([...namesOf("resolvers"), "default"])],
    ["table", new Set([...tables, ...peerTables])],
    ["userlist", namesOf("userlist")],
  ]);
}

function errorsOf(section: ConfigSection, names: Names): readonly ConfigError[] {
  const lines = [...section.defaults, ...section.directives];
  const servers = new Set(
    lines.filter(({ words }) => words[0] === "server").map(({ words }) => words[1] ?? ""),
  );
  const acls = new Set(predefinedAclNames);
  const errors: ConfigError[] = [];
  for (const directive of lines) {
    const own: Names = new Map([
      ["acl", new Set(acls)],
      ["server", servers],
    ] as const);
    for (const reference of directive.references) {
      // HAProxy fills in the name of the section.
      const named = reference.name === "" ? { ...reference, name: section.name } : reference;
      const error = errorOf(directive, named, own.get(reference.kind) ?? names.get(reference.kind));
      if (error !== null) errors.push(error);
    }
    if (directive.words[0] === "acl") acls.add(directive.words[1] ?? "");
  }
  return errors;
}

function errorOf(
  { line, words }: Directive,
  { kind, name }: Reference,
  names: ReadonlySet<string> | undefined,
): ConfigError | null {
  if (names === undefined || names.has(name)) return null;
  if (kind === "lua") {
    if (names.size > 0) return null;
    return new ConfigError(line, `there is no "${name}": the file loads no Lua script`);
  }
  const hint = didYouMean(suggest(name, names));
  if (kind === "acl") return new ConfigError(line, `acl "${name}" is not defined above${hint}`);
  const noun = nouns[kind] ?? kind;
  return new ConfigError(line, `${words[0]}: ${noun} ${name} is not defined${hint}`);
}

const nouns: Readonly<Partial<Record<ReferenceKind, string>>> = {
  "fcgi-app": "FastCGI application",
  "http-errors": "http-errors section",
  peers: "peers section",
  resolvers: "resolvers section",
  table: "stick table",
};

function duplicateServers({ directives }: ConfigSection): readonly ConfigError[] {
  const lineByName = new Map<string, number>();
  return directives.flatMap(({ line, words: [head, name = ""] }) => {
    if (head !== "server") return [];
    const earlier = lineByName.get(name);
    if (earlier === undefined) lineByName.set(name, line);
    return earlier === undefined
      ? []
      : [new ConfigError(line, `server ${name} is already defined at line ${earlier}`)];
  });
}

function userlistErrors({ directives }: ConfigSection): readonly ConfigError[] {
  const namesOf = (head: string) =>
    new Set(directives.filter(({ words }) => words[0] === head).map(({ words }) => words[1] ?? ""));
  const [users, groups] = [namesOf("user"), namesOf("group")];
  return directives.flatMap(({ line, words }) => {
    const [head, , ...rest] = words;
    const word = head === "user" ? "groups" : "users";
    const known = head === "user" ? groups : users;
    const at = rest.indexOf(word);
    const listed = at < 0 ? [] : (rest[at + 1] ?? "").split(",").filter((name) => name !== "");
    return listed
      .filter((name) => !known.has(name))
      .map((name) => new ConfigError(line, `${head === "user" ? "group" : "user"} ${name} is not defined`));
  });
}
