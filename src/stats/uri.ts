// The statistics' address on the balancer: HAProxy's `stats uri`, and what it writes after it.

import type { StatsReport } from "./report.ts";

/** Where the statistics are unless the operator says otherwise. */
export const defaultStatsUri = "/haproxy?stats";

/** What may follow the address: HAProxy's options, or more of a query. Anything else is another address. */
const boundary = /[;&?=#]/;

/**
 * Whether a request is for the statistics. Asked of every request at the balancer, so it only compares characters.
 *
 * @param url absolute, as the runtime gives it
 * @param uri where the statistics are; empty: nowhere
 */
export function isStatsUrl(url: string, uri: string): boolean {
  if (uri === "") return false;
  const path = url.indexOf("/", url.indexOf("://") + 3);
  if (path === -1 || !url.startsWith(uri, path)) return false;
  const end = path + uri.length;
  return end === url.length || boundary.test(url.charAt(end));
}

/** What is asked of the statistics. */
export type StatsQuery = {
  readonly format: "html" | "csv" | "json" | "json-schema";
  /** Servers that are down are left out. */
  readonly up: boolean;
  readonly refresh: boolean;
  /** Only proxies whose name contains this; empty: all. */
  readonly scope: string;
  /** What came of an action: `DONE`; empty: none was tried. */
  readonly outcome: string;
};

/** Longest scope that is looked for, as in HAProxy's own form. */
const maxScope = 64;

/** Reads what stands after the address: `;csv`, `;up;norefresh`, `?scope=web`. What is not known is passed over. */
export function readStatsQuery(url: string, uri: string): StatsQuery {
  const path = url.indexOf("/", url.indexOf("://") + 3);
  const fields = url.slice(path + uri.length).split(/[;&?#]/);
  // A browser writes a field without a value as `up=`.
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

/** The part of a report that was asked for. Frontends and backends stay, as HAProxy keeps them. */
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
