// The errors of a mesh that is unreachable, refuses, or is something else than a mesh.

import { CliError, exitCodes } from "./errors.ts";
import { parseJson } from "./json.ts";
import type { MeshTarget } from "./mesh-target.ts";
import { refusalHint } from "./refusal-hints.ts";

/**
 * The error of an unreachable mesh, with its URL, the reason and a hint.
 *
 * @param advice what would work, if the reason suggests it; the hint begins with it
 */
export function unreachable(target: MeshTarget, reason: string, cause?: unknown, advice = ""): CliError {
  return new CliError(
    exitCodes.unreachable,
    `cannot reach the mesh at ${target.url}: ${reason}`,
    [advice, target.advice ?? "", sourceHint(target)].filter((part) => part !== "").join("; "),
    cause,
  );
}

/** The error of a missing or refused token, with a hint. */
export function tokenRefused(target: MeshTarget, message: string): CliError {
  const details = message === "" ? "" : ` (${message})`;
  const problem = target.token === null ? "requires a token" : "refuses the token";
  const renewal =
    target.context === undefined ? "" : `; "waggle login" stores another in context ${target.context}`;
  return new CliError(
    exitCodes.token,
    `the mesh at ${target.url} ${problem}${details}`,
    `give the operator token with WAGGLE_TOKEN=… or --token-file FILE${renewal}`,
  );
}

/** True if a mesh, or a Docker daemon, sent the response. Every response of the control API has a request id. */
export function isFromMesh({ headers }: Response): boolean {
  return headers.has("x-request-id") || headers.has("api-version");
}

/** The error of a response with an error status. */
export async function refusalOf(target: MeshTarget, response: Response): Promise<CliError> {
  const message = errorMessage(await response.text().catch(() => ""));
  // A listener of a mesh on this machine refuses without a request id, if its runtime does not respond.
  const isRefusal = message !== null && (isFromMesh(response) || response.status >= 500);
  if (!isRefusal) return notAMesh(target, response, message);
  // The text after the semicolon is a hint for users of the Docker CLI.
  if (response.status === 401 || response.status === 429)
    return tokenRefused(target, message.split(";", 1)[0] ?? "");
  if (response.status === 403) {
    return new CliError(exitCodes.token, message, "this requires the operator token (WAGGLE_TOKEN)");
  }
  return new CliError(exitCodes.refused, message, refusalHint(message));
}

/**
 * The error of a server that is not a mesh.
 *
 * @param message of the response's body; null if it has no such message
 */
export function notAMesh(target: MeshTarget, response: Response, message: string | null = null): CliError {
  const { status, headers } = response;
  const location = headers.get("location");
  if (status >= 300 && status < 400 && location !== null) {
    const to = URL.parse(location, response.url || target.url)?.origin ?? location;
    const advice = `if the mesh is at ${to}, give that URL: the token is not sent to another one by itself`;
    return unreachable(target, `the server there redirects to ${to} (${status})`, undefined, advice);
  }
  const type = headers.get("content-type") ?? "no content type";
  const what = message === null ? `${status} ${type}` : `${status} "${message}"`;
  // 407, 502, 503 and 504 of a proxy, and Cloudflare's 520 to 530.
  const isProxy = [407, 502, 503, 504].includes(status) || (status >= 520 && status <= 530);
  const reason = isProxy
    ? `a proxy in front of it responded ${what}`
    : `the server there is not a mesh: it responded ${what}`;
  return unreachable(target, reason);
}

/** The error of a response that no verb can read: of another kind of server, or of another release of the mesh. */
export function unknownResponse({ url, source }: MeshTarget, path: string, problem: string): CliError {
  return new CliError(
    exitCodes.unreachable,
    `the response of ${url} to ${path} is not that of a mesh: ${problem}`,
    `the URL is from ${source}; write that of a control API, such as http://127.0.0.1:8787; of a mesh, "waggle version" shows the release`,
  );
}

/**
 * The message of an error body without the gRPC prefix of Docker's own messages; null if the body is not one.
 */
function errorMessage(text: string): string | null {
  const body = parseJson(text) as { message?: unknown } | null;
  if (typeof body?.message !== "string") return null;
  return body.message.replace(/^rpc error: code = \w+ desc = /, "");
}

function sourceHint({ source, stateDir, context }: MeshTarget): string {
  if (stateDir === undefined) return `the URL is from ${source}; is the mesh deployed there?`;
  if (context !== undefined)
    return `the URL is from ${source}; is it running? "waggle up --state ${stateDir}" starts it`;
  return source.endsWith("mesh.json")
    ? `is it running? "waggle up" starts it; --host URL or --context NAME selects another mesh`
    : `the URL is from ${source}; is it running? "waggle up" starts it`;
}
