// Failures: the mesh's own error responses. Small, and never cached.

/** The status and reason for a request that gets no response from a target. */
export type Failure = {
  readonly status: 400 | 403 | 404 | 408 | 411 | 421 | 500 | 501 | 502 | 503 | 504 | 508;
  /** A sentence for the client, without a final period. */
  readonly reason: string;
};

const titles: Record<Failure["status"], string> = {
  400: "Bad Request",
  403: "Forbidden",
  404: "Not Found",
  408: "Request Timeout",
  411: "Length Required",
  421: "Misdirected Request",
  500: "Internal Server Error",
  501: "Not Implemented",
  502: "Bad Gateway",
  503: "Service Unavailable",
  504: "Gateway Timeout",
  508: "Loop Detected",
};

/** Retry-After of a 503, seconds: about the time a task needs to restart. */
const retryAfterS = 1;

/**
 * The response for a failure: a page if Accept prefers HTML, else JSON.
 *
 * @param accept the request's Accept header
 * @param method HEAD gets no body
 */
export function failureResponse(
  { status, reason }: Failure,
  method: string,
  accept: string | null,
  requestId: string,
): Response {
  const html = prefersHtml(accept ?? "");
  const text = html ? page(status, reason, requestId) : json(status, reason, requestId);
  const headers = new Headers({
    "content-type": html ? "text/html; charset=utf-8" : "application/json",
    "cache-control": "no-store",
    "x-content-type-options": "nosniff",
    "x-request-id": requestId,
  });
  if (status === 503) headers.set("retry-after", String(retryAfterS));
  return new Response(method === "HEAD" ? null : text, { status, headers });
}

/** True when Accept names HTML and rates it above JSON; a wildcard alone does not. */
function prefersHtml(accept: string): boolean {
  const html = Math.max(quality(accept, "text/html"), quality(accept, "application/xhtml+xml"));
  return html > quality(accept, "application/json");
}

/** The weight that Accept gives a type; 0 if it does not name it (RFC 9110 §12.5.1). */
function quality(accept: string, type: string): number {
  for (const range of accept.toLowerCase().split(",")) {
    const [name, ...parameters] = range.split(";").map((part) => part.trim());
    if (name !== type) continue;
    const weight = parameters.find((parameter) => parameter.startsWith("q="));
    return weight === undefined ? 1 : Number(weight.slice(2)) || 0;
  }
  return 0;
}

function json(status: Failure["status"], reason: string, requestId: string): string {
  return `${JSON.stringify({ status, error: titles[status], message: reason, requestId })}\n`;
}

function page(status: Failure["status"], reason: string, requestId: string): string {
  const title = `${status} ${titles[status]}`;
  return `<!doctype html>
<html lang="en">
<meta charset="utf-8">
<meta name="viewport" content="width=device-width">
<title>${title}</title>
<style>
body{font:16px/1.5 system-ui,sans-serif;margin:15vh auto;max-width:34em;padding:0 1em}
small{color:#666}
</style>
<h1>${title}</h1>
<p>${escaped(reason)}.</p>
<p><small>Waggle · request ${escaped(requestId)}</small></p>
</html>
`;
}

const entities: Record<string, string> = {
  "&": "&amp;",
  "<": "&lt;",
  ">": "&gt;",
  '"': "&quot;",
  "'": "&#39;",
};

function escaped(text: string): string {
  return text.replaceAll(/[&<>"']/g, (character) => entities[character] ?? "");
}
