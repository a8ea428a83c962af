// Shows the statistics: reads the report, applies the query's filters, renders it in the query's format.

import type { Role } from "../control/context.ts";
import { readMeshView } from "../control/mesh-view.ts";
import { type StatsContext, statsHeaders } from "./context.ts";
import { statsCsv } from "./csv.ts";
import { statsJson } from "./json.ts";
import { statsJsonSchema } from "./json-schema.ts";
import { makeReport } from "./make-report.ts";
import { statsPage } from "./page.tsx";
import type { StatsReport } from "./report.ts";
import { filterReport, type StatsQuery } from "./uri.ts";

export async function showStats(
  method: string,
  context: StatsContext,
  role: Role,
  query: StatsQuery,
): Promise<Response> {
  const { type, text, headers = {} } = await render(context, role, query);
  return new Response(method === "HEAD" ? null : text, {
    headers: { "content-type": type, ...statsHeaders, ...headers },
  });
}

type RenderedStats = {
  readonly type: string;
  readonly text: string;
  readonly headers?: Record<string, string>;
};

async function render(context: StatsContext, role: Role, query: StatsQuery): Promise<RenderedStats> {
  if (query.format === "json-schema") return { type: "application/json", text: statsJsonSchema() };
  const report = filterReport(await readReport(context, query.format === "html"), query);
  if (query.format === "csv") return { type: "text/plain; charset=utf-8", text: statsCsv(report) };
  if (query.format === "json") return { type: "application/json", text: statsJson(report) };
  const nonce = context.newId();
  const { uri, sharesOrigin } = context;
  return {
    type: "text/html; charset=utf-8",
    text: statsPage(report, { query, uri, nonce, requiresToken: sharesOrigin || role !== "operator" }),
    headers: { "content-security-policy": statsContentPolicy(nonce, sharesOrigin) },
  };
}

/** Reads the current report, unfiltered. @throws MeshError if the registry cannot be reached */
export async function readReport(
  { mesh, traffic, now }: StatsContext,
  isLive: boolean,
): Promise<StatsReport> {
  const [view, statsTraffic] = await Promise.all([readMeshView(mesh), traffic(isLive)]);
  return makeReport({ ...view, traffic: statsTraffic, nowMs: now() });
}

/**
 * Allows no script, and no style but the page's own. If services share the origin, the page is sandboxed into
 * an opaque one, so that their pages cannot read what is typed into it; `allow-scripts` is needed for its
 * refresh.
 */
function statsContentPolicy(nonce: string, sharesOrigin: boolean): string {
  return [
    "default-src 'none'",
    `style-src 'nonce-${nonce}'`,
    "img-src data:",
    "form-action 'self'",
    "base-uri 'none'",
    "frame-ancestors 'none'",
    ...(sharesOrigin ? ["sandbox allow-forms allow-scripts"] : []),
  ].join("; ");
}
