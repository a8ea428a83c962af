// The statistics as a request handler: authenticates, then shows them or applies a form.

import { roleReader } from "../control/auth.ts";
import { MeshError } from "../domain/model/error.ts";
import { roleOfCredentials } from "./authorization.ts";
import { type StatsContext, type StatsDeps, textResponse } from "./context.ts";
import { handleForm } from "./form.ts";
import { showStats } from "./show.ts";
import { readStatsQuery } from "./uri.ts";

/** Handles the requests that `isStatsUrl` selects. */
export type StatsApp = (request: Request) => Promise<Response>;

/** @see docs/spec.md Z10-Z17 */
export function statsApp(deps: StatsDeps): StatsApp {
  const { operatorToken, viewerToken = "" } = deps;
  const context = { ...deps, roleOf: roleReader({ operatorToken, viewerToken }) };
  return async (request) => {
    try {
      return await respond(request, context);
    } catch (error) {
      if (error instanceof MeshError) return textResponse(503, error.message, { "retry-after": "1" });
      throw error;
    }
  };
}

async function respond(request: Request, context: StatsContext): Promise<Response> {
  const { method, headers, url } = request;
  if (context.operatorToken === "") {
    return textResponse(503, "this mesh has no operator token yet: set the secret OPERATOR_TOKEN");
  }
  const role = roleOfCredentials(headers.get("authorization"), context.roleOf);
  if (role === null) return unauthorized();
  const query = readStatsQuery(url, context.uri);
  if (method === "POST") return handleForm(request, context, role, query);
  if (method === "GET" || method === "HEAD") return showStats(method, context, role, query);
  return textResponse(405, "the statistics accept GET, HEAD and POST", { allow: "GET, HEAD, POST" });
}

function unauthorized(): Response {
  return textResponse(401, "send any user name, and the mesh's viewer or operator token as the password", {
    "www-authenticate": 'Basic realm="Waggle Statistics", charset="UTF-8"',
  });
}
