// The HTTP exchange of a check: the request as it goes over the wire, and the answer as it comes in.
//
// Not fetch: a check says its method, its HTTP version and its Host itself, and an answer is judged by its first bytes.

import { matchesBody, matchesStatus } from "../domain/model/check-expect.ts";
import type { CheckStatus } from "../domain/model/check-result.ts";
import { type HttpCheck, hostPort } from "../domain/model/server.ts";

/** How much of an answer is looked at, characters; HAProxy's buffer. */
const maxResponseChars = 16_384;

/** A verdict over an answer. */
export type CheckVerdict = { readonly word: CheckStatus; readonly code: number | null };

/** The request as text. HTTP/1.1 gets a Host where none was said; the connection is for this one request. */
export function requestText(
  { method, uri, version, headers }: HttpCheck,
  host: string,
  port: number,
): string {
  const isSaid = (wanted: string) => headers.some(({ name }) => name.toLowerCase() === wanted);
  const added = [
    ...(version === "HTTP/1.1" && !isSaid("host") ? [{ name: "Host", value: hostPort(host, port) }] : []),
    ...(isSaid("connection") ? [] : [{ name: "Connection", value: "close" }]),
  ];
  const lines = [...headers, ...added].map(({ name, value }) => `${name}: ${value}\r\n`);
  return `${method} ${uri} ${version}\r\n${lines.join("")}\r\n`;
}

/** An answer coming in piece by piece. */
export class ResponseCheck {
  readonly #check: HttpCheck;
  #text = "";

  constructor(check: HttpCheck) {
    this.#check = check;
  }

  /** Takes a piece, and says whether it decides. @param piece bytes as Latin-1 */
  add(piece: string): CheckVerdict | null {
    this.#text = (this.#text + piece).slice(0, maxResponseChars);
    return this.#decide(this.#text.length >= maxResponseChars);
  }

  /** The connection has ended: there will be no more. */
  end(): CheckVerdict {
    return this.#decide(true) ?? { word: "L7RSP", code: null };
  }

  #decide(isWhole: boolean): CheckVerdict | null {
    const [line, version, status] = /^(HTTP\/1\.[01]) (\d{3})(?: [^\r\n]*)?\r?\n/.exec(this.#text) ?? [];
    if (line === undefined || version === undefined) {
      const mayCome = !this.#text.includes("\n") && "HTTP/1.".startsWith(this.#text.slice(0, 7));
      return mayCome && !isWhole ? null : { word: "L7RSP", code: null };
    }
    const code = Number(status);
    const { expect, disableOn404 } = this.#check;
    if (disableOn404 && code === 404) return { word: "L7OKC", code };
    const byStatus = matchesStatus(expect, code);
    if (byStatus !== null) return { word: byStatus ? "L7OK" : "L7STS", code };
    return this.#decideByBody(code, isWhole);
  }

  #decideByBody(code: number, isWhole: boolean): CheckVerdict | null {
    const { expect } = this.#check;
    const head = /\r?\n\r?\n/.exec(this.#text);
    if (expect === null || (head === null && !isWhole)) return null;
    const start = head === null ? this.#text.length : head.index + head[0].length;
    const headers = this.#text.slice(0, start);
    const raw = this.#text.slice(start);
    const body = /^transfer-encoding:.*\bchunked\b/im.test(headers) ? decodeChunked(raw) : raw;
    const length = Number(/^content-length:\s*(\d+)/im.exec(headers)?.[1] ?? Number.POSITIVE_INFINITY);
    const isEnded = isWhole || raw.length >= length || (body !== raw && /\r\n0\r\n/.test(`\r\n${raw}`));
    const meets = matchesBody(expect, body);
    // Text that must not be there may still come; text that must, is there once it is.
    if (!isEnded && (!meets || expect.not)) return null;
    return { word: meets ? "L7OK" : "L7RSP", code };
  }
}

/** A chunked body without its sizes (RFC 9112 §7.1). */
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
