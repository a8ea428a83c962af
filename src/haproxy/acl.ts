// Reads an ACL as rules about host names and paths.

import { matchableRule, type PathRule, readPathRule } from "../domain/table/path-rule.ts";

/**
 * An ACL matches a request that one of its rules matches.
 *
 * `why`: the reason why it is not supported; `criterion`: what it compares.
 */
export type Acl =
  | { readonly rules: readonly PathRule[] }
  | { readonly why: string; readonly criterion: string };

const supportedCriteria =
  "services are selected by port, by host name, hdr(host), and by path, path_beg or path";

/** HAProxy's predefined ACLs; the mesh supports only TRUE and FALSE. */
export const predefinedAcls: ReadonlyMap<string, Acl> = new Map<string, Acl>([
  ["TRUE", { rules: [{ host: null, path: "/", exact: false }] }],
  ["FALSE", { rules: [] }],
  ...[
    ...[
      "HTTP",
      "HTTP_1.0",
      "HTTP_1.1",
      "HTTP_2.0",
      "HTTP_3.0",
      "HTTP_CONTENT",
      "HTTP_URL_ABS",
      "HTTP_URL_SLASH",
    ],
    ...["HTTP_URL_STAR", "LOCALHOST", "METH_CONNECT", "METH_DELETE", "METH_GET", "METH_HEAD", "METH_OPTIONS"],
    ...["METH_POST", "METH_PUT", "METH_TRACE", "RDP_COOKIE", "REQ_CONTENT", "WAIT_END"],
  ].map(
    (name) => [name, { why: `${name} is not supported: ${supportedCriteria}`, criterion: name }] as const,
  ),
]);

/** Merges two ACLs of one name, which are alternatives. */
export function mergeAcls(first: Acl | undefined, second: Acl): Acl {
  if (first === undefined || "why" in second) return second;
  return "why" in first ? first : { rules: [...first.rules, ...second.rules] };
}

/** Reads for example `hdr(host) -i www.example.com`, `path_beg /api` or `path /healthz`. */
export function readAcl(criterion: string, words: readonly string[]): Acl {
  const read = readRules(criterion, words);
  return typeof read === "string" ? { why: read, criterion } : { rules: read };
}

/** The rules of an ACL, or why it is not supported. */
function readRules(criterion: string, words: readonly string[]): readonly PathRule[] | string {
  const kind = kindOf(criterion);
  if (kind === null) return `${criterion} is not supported: ${supportedCriteria}`;
  const { values, flags, method } = readFlags(words);
  const unsupported = flags.find((flag) => flag !== "-i");
  if (unsupported !== undefined) return `${unsupported} is not supported: write the values on the line`;
  if (kind === "host") {
    if (method !== null && method !== "str") return `-m ${method}: a host name is matched as a whole`;
    return rulesOf(values, "host name", hostRule);
  }
  if (flags.includes("-i")) return "-i: paths are case-sensitive";
  const match = method ?? (kind === "path" ? "str" : "beg");
  if (match !== "str" && match !== "beg")
    return `-m ${match}: a path is matched as a whole or by its beginning`;
  return rulesOf(values, "path", (value) => {
    const rule = readPathRule(match === "str" ? `=${value}` : value.startsWith("/") ? value : "");
    return rule !== null && matchableRule(rule) === rule ? rule : null;
  });
}

const hostCriteria = /^(?:hdr|req\.hdr|req\.fhdr)\((?:host|:authority)\)$|^(?:hdr|req\.hdr)_str\(host\)$/i;

function kindOf(criterion: string): "host" | "path" | "path_beg" | null {
  const [sampleFetch = "", ...converters] = criterion.split(",");
  if (sampleFetch === "path" || sampleFetch === "path_beg")
    return converters.length === 0 ? sampleFetch : null;
  // A comma inside of field(1,:) splits it as well.
  const isSupported = converters.every(
    (part) =>
      part === "lower" || part.startsWith("field(1,:") || part === "host_only" || /^\d*:?\)$/.test(part),
  );
  return hostCriteria.test(sampleFetch) && isSupported ? "host" : null;
}

/** Flags are before the values; `--` ends them. */
function readFlags(words: readonly string[]): {
  readonly flags: readonly string[];
  readonly method: string | null;
  readonly values: readonly string[];
} {
  const flags: string[] = [];
  let method: string | null = null;
  let at = 0;
  for (; words[at]?.startsWith("-") === true; at += 1) {
    const word = words[at] ?? "";
    if (word === "--") return { flags, method, values: words.slice(at + 1) };
    if (word === "-m") {
      at += 1;
      method = words[at] ?? "";
    } else flags.push(word);
  }
  return { flags, method, values: words.slice(at) };
}

function rulesOf(
  values: readonly string[],
  noun: "host name" | "path",
  read: (value: string) => PathRule | null,
): readonly PathRule[] | string {
  const rules: PathRule[] = [];
  for (const value of values) {
    const rule = read(value);
    if (rule === null) return `"${value}" is not a ${noun} that the mesh can match`;
    rules.push(rule);
  }
  return rules.length === 0 ? `it has no ${noun}` : rules;
}

/** A rule for all paths of a host. The mesh matches host names without their port. */
function hostRule(value: string): PathRule | null {
  const host = value.replace(/:\d+$/, "");
  return host.includes("/") || host === "" ? null : readPathRule(`${host.toLowerCase()}/`);
}
