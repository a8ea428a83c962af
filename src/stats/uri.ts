// The address of the statistics on the edge: HAProxy's `stats uri`, and the options after it.

import type { StatsReport } from "./report.ts";

export const defaultStatsUri = "/haproxy?stats";

/** Characters that may follow the address, before options or a query; any other makes it another address. */
const boundary = /[;&?=#]/;

/**
 * True if a request is for the statistics. Runs for every request at the edge, so it only compares
 * characters.
 *
 * @param url absolute
 * @param uri the address of the statistics; empty if disabled
 */
export function isStatsUrl(url: string, uri: string): boolean {
  if (uri === "") return false;
  const path = url.indexOf("/", url.indexOf("://") + 3);
  if (path === -1 || !url.startsWith(uri, path)) return false;
  const end = path + uri.length;
  return end === url.length || boundary.test(url.charAt(end));
}

/** The options of a request for the statistics, in HAProxy's words. */
export type StatsQuery = {
  readonly format: "html" | "csv" | "json" | "json-schema";
  /** Leaves out servers that are down. */
  readonly up: boolean;
  readonly refresh: boolean;
  /** Selects proxies whose name contains this; empty for all. */
  readonly scope: string;
  /** The outcome of an action, such as `DONE`; empty without one. */
  readonly outcome: string;
};

/** The maximum length of a scope, as in HAProxy's form. */
const maxScope = 64;

/** Reads the options after the address: `;csv`, `;up;norefresh`, `?scope=web`. Ignores unknown ones. */
export function readStatsQuery(url: string, uri: string): StatsQuery {
  const path = url.indexOf("/", url.indexOf("://") + 3);
  const fields = url.slice(path + uri.length).split(/[;&?#]/);
  // A browser sends a field without a value as `up=`.
  const has = (name: string) => fields.includes(name) || fields.includes(`${name}=`);
  const value = (name: string) =>
    fields.find((field) => field.startsWith(`${name}=`))?.slice(name.length + 1) ?? "";
  return {
    format: has("csv") ? "csv" : has("json") ? "json" : has("json-schema") ? "json-schema" : "html",
    up: has("up"),
    refresh: !has("norefresh"),
    scope: decode(value("scope")).slice(0, maxScope),
    outcome: /^[A-Z]{4}$/.exec(value("st"))?.[0] ?? "",
  };
}

/** The address with options, as HAProxy writes it: `/haproxy?stats;up;norefresh?scope=web`. */
export function statsLink(uri: string, { up, refresh, scope, outcome, format }: StatsQuery): string {
  const options = [
    format !== "html" && format,
    outcome !== "" && `st=${outcome}`,
    up && "up",
    !refresh && "norefresh",
  ].filter((option) => option !== false);
  const query = scope === "" ? "" : `?scope=${encodeURIComponent(scope)}`;
  return uri + options.map((option) => `;${option}`).join("") + query;
}

/** Applies the query's filters. Like HAProxy, `up` keeps frontends and backends. */
export function filterReport(
  report: StatsReport,
  { up, scope }: Pick<StatsQuery, "up" | "scope">,
): StatsReport {
  const proxies = report.proxies
    .filter(({ name }) => name.toLowerCase().includes(scope.toLowerCase()))
    .map((proxy) => ({
      ...proxy,
      rows: up
        ? proxy.rows.filter(({ kind, values }) => kind !== "server" || isShownUp(values.status))
        : proxy.rows,
    }));
  return { ...report, proxies };
}

function isShownUp(status: number | string | undefined): boolean {
  return !/^(?:DOWN|MAINT)/.test(String(status));
}

function decode(text: string): string {
  try {
    return decodeURIComponent(text.replaceAll("+", " "));
  } catch {
    return text;
  }
}
