// Failures: what the mesh itself answers when no task did. Small, honest, never cached.

/** Why a request got no answer from a task. */
export type Failure = {
  readonly status: 400 | 403 | 404 | 500 | 502 | 503 | 504 | 508;
  /** A sentence for whoever sent the request, without a full stop. */
  readonly reason: string;
};

const titles: Record<Failure["status"], string> = {
  400: "Bad Request",
  403: "Forbidden",
  404: "Not Found",
  500: "Internal Server Error",
  502: "Bad Gateway",
  503: "Service Unavailable",
  504: "Gateway Timeout",
  508: "Loop Detected",
};

/** Seconds after which a 503 is worth another try: about what a restarted task takes to be seen. */
const retryAfterS = 1;

/**
 * The answer for a failure: a page for those who ask for HTML, JSON for everybody else.
 *
 * @param accept the request's Accept header
 * @param method for HEAD there is no body
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
    "x-request-id": requestId,
  });
  if (status === 503) headers.set("retry-after", String(retryAfterS));
  return new Response(method === "HEAD" ? null : text, { status, headers });
}

/** True when Accept names HTML and rates it above JSON; a wildcard alone does not ask for a page. */
function prefersHtml(accept: string): boolean {
  const html = Math.max(quality(accept, "text/html"), quality(accept, "application/xhtml+xml"));
  return html > quality(accept, "application/json");
}

/** The weight Accept gives to a type it names, 0 when it does not name it (RFC 9110 §12.5.1). */
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
<style>body{font:16px/1.5 system-ui,sans-serif;margin:15vh auto;max-width:34em;padding:0 1em}small{color:#666}</style>
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
