// Handles a form sent to the statistics: authorizes it, applies it, redirects with the outcome.

import { readText } from "../control/body.ts";
import type { Role } from "../control/context.ts";
import { MeshError } from "../domain/model/error.ts";
import { type ActionOutcome, applyAction } from "./actions.ts";
import { type StatsContext, statsHeaders, tooManyResponse } from "./context.ts";
import { readReport } from "./show.ts";
import { type StatsQuery, statsLink } from "./uri.ts";

/** Limit of a form, enough for a thousand servers. Bytes. */
const maxStatsFormBytes = 64 * 1024;

/** The client that sent a form: the role of its credentials, and its address; null if unknown. */
type FormSender = { readonly role: Role; readonly client: string | null };

/**
 * Applies a form and redirects to the page, as HAProxy does.
 *
 * @see docs/spec.md Z14-Z17
 * @see docs/decisions/0042-tokens-on-a-shared-origin.md
 */
export async function handleForm(
  request: Request,
  context: StatsContext,
  sender: FormSender,
  query: StatsQuery,
): Promise<Response> {
  const redirect = (outcome: ActionOutcome) => {
    const location = statsLink(context.uri, { ...query, format: "html", outcome });
    return new Response(null, { status: 303, headers: { location, ...statsHeaders } });
  };
  const text = await readFormText(request);
  if (text === null) return redirect("EXCD");
  const fields = new URLSearchParams(text);
  const token = fields.get("token") ?? "";
  if (token === "") {
    return redirect(
      mayActByCredentials(request, context, sender) ? await applyForm(context, fields) : "DENY",
    );
  }
  const { role, retryAfterS } = context.check(token, sender.client);
  if (retryAfterS !== null) return tooManyResponse(retryAfterS);
  return redirect(role === "operator" ? await applyForm(context, fields) : "DENY");
}

async function applyForm(context: StatsContext, fields: URLSearchParams): Promise<ActionOutcome> {
  const form = {
    servers: fields.getAll("s"),
    action: fields.get("action") ?? "",
    proxy: fields.get("b") ?? "",
  };
  return applyAction(context.mesh, await readReport(context, true), form, "operator");
}

/** Null if the form is too long, which could fill the isolate's memory. Empty if it is not text. */
async function readFormText(request: Request): Promise<string | null> {
  try {
    return await readText(request, maxStatsFormBytes);
  } catch (error) {
    if (!(error instanceof MeshError)) throw error;
    return error.code === "body/too-large" ? null : "";
  }
}

/**
 * True if a form without a token in it may change servers: the request's credentials must be the operator's.
 * Browsers add credentials automatically, so a browser's form must also come from our page on an origin that no
 * service shares.
 */
function mayActByCredentials(
  { headers, url }: Request,
  context: StatsContext,
  { role }: FormSender,
): boolean {
  if (role !== "operator") return false;
  const origin = headers.get("origin");
  const isBrowser = origin !== null || headers.has("sec-fetch-site");
  if (!isBrowser) return true;
  return (
    !context.sharesOrigin && URL.parse(origin ?? "")?.host === (headers.get("host") ?? new URL(url).host)
  );
}
