// The statistics as an answer to a request: who is let in, and whether they are shown or changed.

import { roleReader } from "../control/auth.ts";
import { MeshError } from "../domain/error.ts";
import { type StatsContext, type StatsDeps, say } from "./context.ts";
import { takeForm } from "./form.ts";
import { show } from "./show.ts";
import { readAsked } from "./uri.ts";
import { whoAsks } from "./who.ts";

/** Answers requests for the statistics, which `isStatsUrl` has told from others. */
export type StatsApp = (request: Request) => Promise<Response>;

/** @see docs/spec.md Z10-Z17 */
export function statsApp(deps: StatsDeps): StatsApp {
  const { operatorToken, viewerToken = "" } = deps;
  const context = { ...deps, roleOf: roleReader({ operatorToken, viewerToken }) };
  return async (request) => {
    try {
      return await answerTo(request, context);
    } catch (error) {
      if (error instanceof MeshError) return say(503, error.message, { "retry-after": "1" });
      throw error;
    }
  };
}

async function answerTo(request: Request, context: StatsContext): Promise<Response> {
  const { method, headers, url } = request;
  if (context.operatorToken === "") {
    return say(503, "this mesh has no operator token yet: set the secret OPERATOR_TOKEN");
  }
  const role = whoAsks(headers.get("authorization"), context.roleOf);
  if (role === null) return askWho();
  const asked = readAsked(url, context.uri);
  if (method === "POST") return takeForm(request, context, role, asked);
  if (method === "GET" || method === "HEAD") return show(method, context, role, asked);
  return say(405, "the statistics take GET, HEAD and POST", { allow: "GET, HEAD, POST" });
}

function askWho(): Response {
  return say(401, "give any user name, and the mesh's viewer or operator token as the password", {
    "www-authenticate": 'Basic realm="Waggle Statistics", charset="UTF-8"',
  });
}
