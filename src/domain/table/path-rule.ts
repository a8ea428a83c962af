// A path rule: a path, exact or as a prefix, that selects requests for a service. It is compared as in
// HAProxy's `path_beg` and `path`: by character, without the query, and not decoded. The path of a request is
// normalized before (`normalPath`).

import { compareStrings } from "../model/compare.ts";
import { isHostName } from "../model/host-name.ts";
import { normalPath, normalPrefix } from "../model/normal-path.ts";

/** @see docs/decisions/0053-path-rules.md */
export type PathRule = {
  /** Lower case; null: any host name. */
  readonly host: string | null;
  readonly path: string;
  /** True for this path only, false for every path that begins with it. */
  readonly exact: boolean;
};

/**
 * Printable ASCII (RFC 9112 §3.2) without `?` and `#`, which end a path, and `,`, which ends a rule in a
 * label.
 */
const pathRulePattern = /^([^/=]*)(=?)(\/[!"$-+\--<=>@-~]*)$/;

/**
 * Reads `/api`, `=/healthz`, `www.example.com/api` or `www.example.com=/healthz`; null if the text is not a
 * rule.
 */
export function readPathRule(text: string): PathRule | null {
  const [, host = "", equals, path] = pathRulePattern.exec(text) ?? [];
  if (path === undefined || (host !== "" && !isHostName(host.toLowerCase()))) return null;
  return { host: host === "" ? null : host.toLowerCase(), path, exact: equals === "=" };
}

/**
 * The rule that takes the requests which a client sends for this one: dot segments and `\` are resolved before
 * paths are compared. It is the rule itself for a rule that requests can match.
 */
export function matchableRule(rule: PathRule): PathRule {
  // What follows a prefix in a request may complete its last segment.
  const rest = rule.exact ? "" : "x";
  const requested = normalPath(rule.path + rest);
  if (requested === normalPrefix(rule.path + rest)) return rule;
  return { ...rule, path: requested.slice(0, requested.length - rest.length) };
}

export function printPathRule({ host, path, exact }: PathRule): string {
  return `${host ?? ""}${exact ? "=" : ""}${path}`;
}

/** True if a rule matches a path, which may have a query. */
export function matchesPath({ path, exact }: PathRule, requestPath: string): boolean {
  if (!requestPath.startsWith(path)) return false;
  return !exact || requestPath.length === path.length || requestPath.charAt(path.length) === "?";
}

/** Compares by precedence: a longer path first, then an exact one, then one with a host name. */
export function byPrecedence(a: PathRule, b: PathRule): number {
  return (
    b.path.length - a.path.length ||
    Number(b.exact) - Number(a.exact) ||
    Number(b.host !== null) - Number(a.host !== null) ||
    compareStrings(a.path, b.path) ||
    compareStrings(a.host ?? "", b.host ?? "")
  );
}
