// A form sent to the statistics: whether its sender may change anything, what it asks for, and what came of it.

import { readText } from "../control/body.ts";
import type { Role } from "../control/context.ts";
import { MeshError } from "../domain/model/error.ts";
import { type ActionOutcome, applyAction } from "./actions.ts";
import { type StatsContext, statsHeaders } from "./context.ts";
import { readReport } from "./show.ts";
import { type StatsQuery, statsLink } from "./uri.ts";

/** Longest form, bytes: a thousand servers at a time. */
const maxStatsFormBytes = 64 * 1024;

/** Does what a form says, and sends its sender back to the page, as HAProxy does. @see docs/spec.md Z14-Z17 */
export async function handleForm(
  request: Request,
  context: StatsContext,
  role: Role,
  asked: StatsQuery,
): Promise<Response> {
  const outcome = await outcomeOf(request, context, role);
  const location = statsLink(context.uri, { ...asked, format: "html", outcome });
  return new Response(null, { status: 303, headers: { location, ...statsHeaders } });
}

async function outcomeOf(request: Request, context: StatsContext, role: Role): Promise<ActionOutcome> {
  const text = await readFormText(request);
  if (text === null) return "EXCD";
  const fields = new URLSearchParams(text);
  if (!isActionAllowed(request, context, role, fields.get("token") ?? "")) return "DENY";
  const form = {
    servers: fields.getAll("s"),
    action: fields.get("action") ?? "",
    proxy: fields.get("b") ?? "",
  };
  return applyAction(context.mesh, await readReport(context), form, "operator");
}

/** Null where it is too long: who may only look must not fill the isolate. What is no text asks for nothing. */
async function readFormText(request: Request): Promise<string | null> {
  try {
    return await readText(request, maxStatsFormBytes);
  } catch (error) {
    if (!(error instanceof MeshError)) throw error;
    return error.code === "body/too-large" ? null : "";
  }
}

/**
 * Whether a form may change anything. The operator's token in the form itself always does. Else the request's own
 * credentials have to be the operator's, and where a browser sent it, which adds them unasked, the page it comes from
 * has to be ours, on an origin of our own.
 */
function isActionAllowed(
  { headers, url }: Request,
  context: StatsContext,
  role: Role,
  token: string,
): boolean {
  if (token !== "") return context.roleOf(token) === "operator";
  if (role !== "operator") return false;
  const origin = headers.get("origin");
  const isBrowser = origin !== null || headers.has("sec-fetch-site");
  if (!isBrowser) return true;
  return (
    !context.sharesOrigin && URL.parse(origin ?? "")?.host === (headers.get("host") ?? new URL(url).host)
  );
}
