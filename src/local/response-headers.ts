// The headers of a response as a client gets them, from those of the Workers runtime.

import { headerLines } from "../proxy/http/header-lines.ts";

/** Headers about the connection to the runtime. Node frames the response for the client. */
const droppedResponseHeaders = new Set(["connection", "keep-alive", "transfer-encoding"]);

/** Headers that a response of HTTP/2 must not have (RFC 9113 §8.2.2), besides those that are dropped for all. */
const droppedInHttp2 = new Set(["proxy-connection", "upgrade", "http2-settings", "te"]);

/**
 * Headers of which Node's HTTP/2 refuses a second line. The Workers runtime joins the lines of most of them; two of
 * the others mean the same as one with both values (RFC 9110 §5.3).
 */
const singleInHttp2 = new Set([
  ...["access-control-allow-credentials", "access-control-max-age", "access-control-request-method", "age"],
  ...["authorization", "content-encoding", "content-language", "content-length", "content-location"],
  ...["content-md5", "content-range", "content-type", "date", "dnt", "etag", "expires", "from", "host"],
  ...["if-match", "if-modified-since", "if-none-match", "if-range", "if-unmodified-since", "last-modified"],
  ...["location", "max-forwards", "proxy-authorization", "range", "referer", "retry-after", "tk"],
  ...["upgrade-insecure-requests", "user-agent", "x-content-type-options"],
]);

/** Names and values in turn, for HTTP/1.1. @param rawHeaders names and values in turn */
export function responseHeaders(rawHeaders: readonly string[]): string[] {
  const kept: string[] = [];
  for (let index = 0; index < rawHeaders.length; index += 2) {
    const name = rawHeaders[index] ?? "";
    const lower = name.toLowerCase();
    if (droppedResponseHeaders.has(lower)) continue;
    for (const value of headerLines(lower, rawHeaders[index + 1] ?? "")) kept.push(name, value);
  }
  return kept;
}

/**
 * By name in lower case, for HTTP/2. A 204 has no length (RFC 9110 §8.6): some clients take a response with one for
 * malformed.
 *
 * @param rawHeaders names and values in turn
 */
export function http2ResponseHeaders(
  status: number,
  rawHeaders: readonly string[],
): Record<string, string[]> {
  // Without a prototype: a task may send a header with the name of one of its properties, such as `constructor`.
  const lines: Record<string, string[]> = Object.create(null);
  const kept = responseHeaders(rawHeaders);
  for (let index = 0; index < kept.length; index += 2) {
    const name = (kept[index] ?? "").toLowerCase();
    const value = kept[index + 1] ?? "";
    if (droppedInHttp2.has(name) || (status === 204 && name === "content-length")) continue;
    const values = lines[name];
    if (values === undefined) lines[name] = [value];
    else if (singleInHttp2.has(name)) lines[name] = [`${values[0]}, ${value}`];
    else values.push(value);
  }
  return lines;
}
