// Showing the statistics: read once, cut to what was asked for, printed as asked.

import type { Role } from "../control/context.ts";
import { readMeshView } from "../control/mesh-view.ts";
import { commonHeaders, type StatsContext } from "./context.ts";
import { statsCsv } from "./csv.ts";
import { statsJson } from "./json.ts";
import { statsJsonSchema } from "./json-schema.ts";
import { makeReport } from "./make-report.ts";
import { statsPage } from "./page.tsx";
import type { StatsReport } from "./report.ts";
import { partOf, type StatsAsked } from "./uri.ts";

export async function show(
  method: string,
  context: StatsContext,
  role: Role,
  asked: StatsAsked,
): Promise<Response> {
  const { type, text, headers = {} } = await print(context, role, asked);
  return new Response(method === "HEAD" ? null : text, {
    headers: { "content-type": type, ...commonHeaders, ...headers },
  });
}

type Printed = { readonly type: string; readonly text: string; readonly headers?: Record<string, string> };

async function print(context: StatsContext, role: Role, asked: StatsAsked): Promise<Printed> {
  if (asked.format === "json-schema") return { type: "application/json", text: statsJsonSchema() };
  const report = partOf(await readReport(context), asked);
  if (asked.format === "csv") return { type: "text/plain; charset=utf-8", text: statsCsv(report) };
  if (asked.format === "json") return { type: "application/json", text: statsJson(report) };
  const nonce = context.newId();
  const { uri, sharesOrigin } = context;
  return {
    type: "text/html; charset=utf-8",
    text: statsPage(report, { asked, uri, nonce, asksToken: sharesOrigin || role !== "operator" }),
    headers: { "content-security-policy": policy(nonce, sharesOrigin) },
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
function policy(nonce: string, sharesOrigin: boolean): string {
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
