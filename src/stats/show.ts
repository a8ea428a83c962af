// Showing the statistics: read once, cut to what was asked for, printed as asked.

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
  asked: StatsQuery,
): Promise<Response> {
  const { type, text, headers = {} } = await render(context, role, asked);
  return new Response(method === "HEAD" ? null : text, {
    headers: { "content-type": type, ...statsHeaders, ...headers },
  });
}

type RenderedStats = {
  readonly type: string;
  readonly text: string;
  readonly headers?: Record<string, string>;
};

async function render(context: StatsContext, role: Role, asked: StatsQuery): Promise<RenderedStats> {
  if (asked.format === "json-schema") return { type: "application/json", text: statsJsonSchema() };
  const report = filterReport(await readReport(context), asked);
  if (asked.format === "csv") return { type: "text/plain; charset=utf-8", text: statsCsv(report) };
  if (asked.format === "json") return { type: "application/json", text: statsJson(report) };
  const nonce = context.newId();
  const { uri, sharesOrigin } = context;
  return {
    type: "text/html; charset=utf-8",
    text: statsPage(report, { query: asked, uri, nonce, requiresToken: sharesOrigin || role !== "operator" }),
    headers: { "content-security-policy": statsContentPolicy(nonce, sharesOrigin) },
  };
}

/** Everything there is to tell, as of now. @throws MeshError when the registry cannot be had */
export async function readReport({ mesh, traffic, now }: StatsContext): Promise<StatsReport> {
  const [view, counted] = await Promise.all([readMeshView(mesh), traffic()]);
  return makeReport({ ...view, traffic: counted, nowMs: now() });
}

/**
 * No script, and no style but the page's own. Where services share the origin the page gets one of its own, so that no
 * page of theirs that opened it can read what is typed into it; `allow-scripts` is what lets it refresh itself.
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
