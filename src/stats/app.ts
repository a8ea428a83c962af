// The statistics as a request handler: authenticates, then shows them or applies a form.

import { tokenChecker } from "../control/auth.ts";
import { MeshError } from "../domain/model/error.ts";
import { tokenProblem } from "../domain/model/mesh-token.ts";
import { tokenOfCredentials } from "./authorization.ts";
import { type StatsContext, type StatsDeps, textResponse, tooManyResponse } from "./context.ts";
import { handleForm } from "./form.ts";
import { showStats } from "./show.ts";
import { readStatsQuery } from "./uri.ts";

/** Handles the requests that `isStatsUrl` selects, of a client whose address may be unknown (null). */
export type StatsApp = (request: Request, client: string | null) => Promise<Response>;

/** @see docs/spec.md Z10-Z17 */
export function statsApp(deps: StatsDeps): StatsApp {
  const context = { ...deps, check: tokenChecker(deps) };
  return async (request, client) => {
    try {
      return await respond(request, client, context);
    } catch (error) {
      if (error instanceof MeshError) return textResponse(503, error.message, { "retry-after": "1" });
      throw error;
    }
  };
}

async function respond(request: Request, client: string | null, context: StatsContext): Promise<Response> {
  const { method, headers, url } = request;
  const unusable = tokenProblem(context);
  if (unusable !== null) return textResponse(503, unusable);
  const token = tokenOfCredentials(headers.get("authorization") ?? "");
  if (token === null) return unauthorized();
  const { role, retryAfterS } = context.check(token, client);
  if (retryAfterS !== null) return tooManyResponse(retryAfterS);
  if (role === null) return unauthorized();
  const query = readStatsQuery(url, context.uri);
  if (context.isReadOnly) return showStats(method, context, "viewer", query);
  if (method === "POST") return handleForm(request, context, { role, client }, query);
  if (method === "GET" || method === "HEAD") return showStats(method, context, role, query);
  return textResponse(405, "the statistics accept GET, HEAD and POST", { allow: "GET, HEAD, POST" });
}

function unauthorized(): Response {
  return textResponse(401, "send any user name, and the mesh's viewer or operator token as the password", {
    "www-authenticate": 'Basic realm="Waggle Statistics", charset="UTF-8"',
  });
}
