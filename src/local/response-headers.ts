// The headers of a response as a client gets them, from those of the Workers runtime.

import { headerLines } from "../proxy/http/header-lines.ts";

/** Headers about the connection to the runtime. Node frames the response for the client. */
const droppedResponseHeaders = new Set(["connection", "keep-alive", "transfer-encoding"]);

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
