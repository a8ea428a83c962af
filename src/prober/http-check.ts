// The HTTP exchange of a check: the request as text, and the response as it arrives.
//
// It does not use fetch: a check sets its own HTTP version and Host, and judges a response by its first
// bytes.

import { matchesBody, matchesStatus } from "../domain/model/check-expect.ts";
import type { CheckStatus } from "../domain/model/check-result.ts";
import { type HttpCheck, hostPort } from "../domain/model/server.ts";

/** How much of a response is read, characters: HAProxy's buffer. */
const maxResponseChars = 16_384;

export type CheckVerdict = { readonly word: CheckStatus; readonly code: number | null };

/** The request as text. Adds `Host` to HTTP/1.1, and `Connection: close`, unless the check sets them. */
export function requestText(
  { method, uri, version, headers }: HttpCheck,
  host: string,
  port: number,
): string {
  const isSet = (header: string) => headers.some(({ name }) => name.toLowerCase() === header);
  const added = [
    ...(version === "HTTP/1.1" && !isSet("host") ? [{ name: "Host", value: hostPort(host, port) }] : []),
    ...(isSet("connection") ? [] : [{ name: "Connection", value: "close" }]),
  ];
  const lines = [...headers, ...added].map(({ name, value }) => `${name}: ${value}\r\n`);
  return `${method} ${uri} ${version}\r\n${lines.join("")}\r\n`;
}

/** Judges a response that arrives in pieces. */
export class ResponseCheck {
  readonly #check: HttpCheck;
  #text = "";

  constructor(check: HttpCheck) {
    this.#check = check;
  }

  /** Adds a piece. Returns the verdict, or null while more is needed. @param piece bytes as Latin-1 */
  add(piece: string): CheckVerdict | null {
    this.#text = (this.#text + piece).slice(0, maxResponseChars);
    return this.#decide(this.#text.length >= maxResponseChars);
  }

  /** The verdict at the end of the connection. */
  end(): CheckVerdict {
    return this.#decide(true) ?? { word: "L7RSP", code: null };
  }

  #decide(isComplete: boolean): CheckVerdict | null {
    const [line, version, status] = /^(HTTP\/1\.[01]) (\d{3})(?: [^\r\n]*)?\r?\n/.exec(this.#text) ?? [];
    if (line === undefined || version === undefined) {
      const mayFollow = !this.#text.includes("\n") && "HTTP/1.".startsWith(this.#text.slice(0, 7));
      return mayFollow && !isComplete ? null : { word: "L7RSP", code: null };
    }
    const code = Number(status);
    const { expect, disableOn404 } = this.#check;
    if (disableOn404 && code === 404) return { word: "L7OKC", code };
    const byStatus = matchesStatus(expect, code);
    if (byStatus !== null) return { word: byStatus ? "L7OK" : "L7STS", code };
    return this.#decideByBody(code, isComplete);
  }

  #decideByBody(code: number, isComplete: boolean): CheckVerdict | null {
    const { expect } = this.#check;
    const head = /\r?\n\r?\n/.exec(this.#text);
    if (expect === null || (head === null && !isComplete)) return null;
    const start = head === null ? this.#text.length : head.index + head[0].length;
    const headers = this.#text.slice(0, start);
    const raw = this.#text.slice(start);
    const body = /^transfer-encoding:.*\bchunked\b/im.test(headers) ? decodeChunked(raw) : raw;
    const length = Number(/^content-length:\s*(\d+)/im.exec(headers)?.[1] ?? Number.POSITIVE_INFINITY);
    const isBodyComplete =
      isComplete || raw.length >= length || (body !== raw && /\r\n0\r\n/.test(`\r\n${raw}`));
    const isMatch = matchesBody(expect, body);
    // Expected or forbidden text may still follow; expected text that was found stays found.
    if (!isBodyComplete && (!isMatch || expect.not)) return null;
    return { word: isMatch ? "L7OK" : "L7RSP", code };
  }
}

/** Decodes a chunked body as far as it arrived (RFC 9112 §7.1). */
function decodeChunked(raw: string): string {
  let body = "";
  for (let at = 0; at < raw.length; ) {
    const [line, size] = /^([0-9a-f]+)[^\r\n]*\r\n/i.exec(raw.slice(at, at + 100)) ?? [];
    if (line === undefined || size === undefined) break;
    const from = at + line.length;
    const to = from + Number.parseInt(size, 16);
    body += raw.slice(from, to);
    at = to + 2;
  }
  return body;
}
