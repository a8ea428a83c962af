// An ACL: which requests it holds for, as far as host names and paths say it.

import { type PathRule, readPathRule } from "../domain/table/path-rule.ts";

/** It holds for a request that one of these rules holds for; or it looks at something the mesh cannot (`why`). */
export type Acl = { readonly rules: readonly PathRule[] } | { readonly why: string };

const supportedCriteria =
  "services are told apart by port, by host name, hdr(host), and by path, path_beg or path";

/** ACLs that HAProxy has by itself; of most the mesh cannot tell. */
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
  ].map((name) => [name, { why: `${name} is not looked at: ${supportedCriteria}` }] as const),
]);

/** ACLs of one name, and the values of one line, are alternatives. */
export function mergeAcls(one: Acl | undefined, other: Acl): Acl {
  if (one === undefined || "why" in other) return other;
  return "why" in one ? one : { rules: [...one.rules, ...other.rules] };
}

/** `hdr(host) -i www.example.com`, `path_beg /api`, `path /healthz`. */
export function readAcl(criterion: string, words: readonly string[]): Acl {
  const kind = kindOf(criterion);
  if (kind === null) return { why: `${criterion} is not looked at: ${supportedCriteria}` };
  const { values, flags, method } = readFlags(words);
  const unknown = flags.find((flag) => flag !== "-i");
  if (unknown !== undefined) return { why: `${unknown} is not read: write the values on the line` };
  if (kind === "host") {
    if (method !== null && method !== "str") return { why: `-m ${method}: a host name is compared whole` };
    return rulesOf(values, "host name", hostRule);
  }
  if (flags.includes("-i")) return { why: "-i: paths are compared letter by letter" };
  const how = method ?? (kind === "path" ? "str" : "beg");
  if (how !== "str" && how !== "beg") return { why: `-m ${how}: a path is compared from its beginning` };
  return rulesOf(values, "path the mesh can look for", (value) => {
    return readPathRule(how === "str" ? `=${value}` : value.startsWith("/") ? value : "");
  });
}

const hostCriteria = /^(?:hdr|req\.hdr|req\.fhdr)\((?:host|:authority)\)$|^(?:hdr|req\.hdr)_str\(host\)$/i;

function kindOf(criterion: string): "host" | "path" | "path_beg" | null {
  const [bare = "", ...converters] = criterion.split(",");
  if (bare === "path" || bare === "path_beg") return converters.length === 0 ? bare : null;
  const known = converters.every(
    (one) => one === "lower" || one.startsWith("field(1,:") || one === "host_only" || /^\d*:?\)$/.test(one),
  );
  return hostCriteria.test(bare) && known ? "host" : null;
}

/** Flags stand before the values; `--` ends them. */
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

function rulesOf(values: readonly string[], what: string, read: (value: string) => PathRule | null): Acl {
  const rules: PathRule[] = [];
  for (const value of values) {
    const rule = read(value);
    if (rule === null) return { why: `"${value}" is no ${what}` };
    rules.push(rule);
  }
  return rules.length === 0 ? { why: `it names no ${what.split(" ", 1)[0]}` } : { rules };
}

/** Everything at a host; the mesh compares host names without their port. */
function hostRule(value: string): PathRule | null {
  const host = value.replace(/:\d+$/, "");
  return host.includes("/") || host === "" ? null : readPathRule(`${host.toLowerCase()}/`);
}
