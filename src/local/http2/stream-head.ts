// The head of an HTTP/2 stream, as a request head of HTTP/1.1 with the stream's own facts.

import type { ParsedHead } from "../read-request.ts";

/**
 * Reads what nghttp2 has accepted: each pseudo-header at most once, before all other headers, and those that a request
 * must have (RFC 9113 §8.3.1).
 *
 * @param rawHeaders names and values in turn, pseudo-headers included; a character is a byte
 */
export function readStreamHead(rawHeaders: readonly string[], hasBody: boolean): Required<ParsedHead> {
  const pseudo = new Map<string, string>();
  const others: string[] = [];
  for (let index = 0; index < rawHeaders.length; index += 2) {
    const name = rawHeaders[index] ?? "";
    const value = rawHeaders[index + 1] ?? "";
    if (name.startsWith(":")) pseudo.set(name, value);
    else others.push(name, value);
  }
  return {
    method: pseudo.get(":method") ?? "",
    target: pseudo.get(":path") ?? "",
    version: "2.0",
    rawHeaders: others,
    stream: { scheme: pseudo.get(":scheme") ?? "", authority: pseudo.get(":authority") ?? null, hasBody },
  };
}

/** The size of a head as HTTP/1.1 would send it, bytes: each header has four besides its name and value. */
export function headBytes(rawHeaders: readonly string[]): number {
  return rawHeaders.reduce((sum, text) => sum + text.length + 2, 0);
}

/** The first value of a header; null without one. @param name lower case, as all names in HTTP/2 */
export function headerOf({ rawHeaders }: Pick<ParsedHead, "rawHeaders">, name: string): string | null {
  const at = rawHeaders.findIndex((text, index) => index % 2 === 0 && text === name);
  return at < 0 ? null : (rawHeaders[at + 1] ?? "");
}
