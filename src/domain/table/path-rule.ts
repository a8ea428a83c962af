// A path rule: which requests a service takes of those that would go to another one, or to nobody. It goes by the path
// as HAProxy's `path_beg` and `path` do: letter by letter, without the query, nothing decoded.

import { compareStrings } from "../model/compare.ts";
import { isHostName } from "../model/host-name.ts";

export type PathRule = {
  /** Lower case; null: at any. */
  readonly host: string | null;
  readonly path: string;
  /** This path alone, and not all that begin with it. */
  readonly exact: boolean;
};

/** Printable ASCII (RFC 9112 §3.2) without what ends a path, and without the comma, which ends a rule in a label. */
const pathRulePattern = /^([^/=]*)(=?)(\/[!"$-+\--<=>@-~]*)$/;

/** The rule of `/api`, `=/healthz`, `www.example.com/api` or `www.example.com=/healthz`; null when it is none. */
export function readPathRule(text: string): PathRule | null {
  const [, host = "", equals, path] = pathRulePattern.exec(text) ?? [];
  if (path === undefined || (host !== "" && !isHostName(host.toLowerCase()))) return null;
  return { host: host === "" ? null : host.toLowerCase(), path, exact: equals === "=" };
}

export function printPathRule({ host, path, exact }: PathRule): string {
  return `${host ?? ""}${exact ? "=" : ""}${path}`;
}

/** Whether a rule holds for a path, which may have its query after it. No rule has a `?` in it. */
export function matchesPath({ path, exact }: PathRule, asked: string): boolean {
  if (!asked.startsWith(path)) return false;
  return !exact || asked.length === path.length || asked.charAt(path.length) === "?";
}

/** Which of two rules that hold decides: the longer path, of equal ones the exact, then the one with a host name. */
export function byPrecedence(a: PathRule, b: PathRule): number {
  return (
    b.path.length - a.path.length ||
    Number(b.exact) - Number(a.exact) ||
    Number(b.host !== null) - Number(a.host !== null) ||
    compareStrings(a.path, b.path) ||
    compareStrings(a.host ?? "", b.host ?? "")
  );
}
