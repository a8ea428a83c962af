// The HTTP exchange of a check: the request as text, and the response as it arrives.
//
// It does not use fetch: a check sets its own HTTP version and Host, and judges a response by its first
// bytes.

import type { Expectation } from "../domain/model/check-expect.ts";
import type { CheckResult } from "../domain/model/check-result.ts";
import { type HttpCheck, hostPort } from "../domain/model/server.ts";
import { ResponseReader } from "./response-reader.ts";

/**
 * Work of matching a body that is still arriving, in bytes times instructions of the pattern. A server that
 * sends its body byte by byte would otherwise cause thousands of matches. The whole body is always matched.
 */
const maxInterimWork = 1_000_000;

export type CheckVerdict = Omit<CheckResult, "durationMs">;

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
  readonly #disableOn404: boolean;
  readonly #expectation: Expectation;
  readonly #response = new ResponseReader();
  #interimWork = 0;

  constructor({ disableOn404 }: Pick<HttpCheck, "disableOn404">, expectation: Expectation) {
    this.#disableOn404 = disableOn404;
    this.#expectation = expectation;
  }

  /** Adds a piece. Returns the verdict, or null while more is needed. */
  add(piece: Uint8Array): CheckVerdict | null {
    this.#response.add(piece);
    return this.#decide(this.#response.isComplete ? "complete" : "arriving");
  }

  /** The verdict at the end of the connection. */
  end(): CheckVerdict {
    return this.#decide("complete") ?? { word: "L7RSP", code: null };
  }

  /** The verdict at the check's timeout: null unless what arrived is enough. */
  atTimeout(): CheckVerdict | null {
    return this.#decide("late");
  }

  #decide(state: "arriving" | "late" | "complete"): CheckVerdict | null {
    const { status } = this.#response;
    if (status === "incomplete" && state !== "complete") return null;
    if (typeof status === "string") return { word: "L7RSP", code: null };
    if (this.#disableOn404 && status === 404) return { word: "L7OKC", code: status };
    const expectation = this.#expectation;
    if (expectation.of === "nothing") return { word: "L7RSP", code: status, detail: expectation.why };
    if (expectation.of === "body") return this.#decideByBody(expectation, status, state);
    return { word: expectation.isMet(status) ? "L7OK" : "L7STS", code: status };
  }

  #decideByBody(
    { not, size, matches }: Extract<Expectation, { of: "body" }>,
    code: number,
    state: "arriving" | "late" | "complete",
  ): CheckVerdict | null {
    const { bodyLength } = this.#response;
    // As in HAProxy, a response without a body meets no expectation of a body, not even a negated one.
    if (bodyLength === 0) return state === "complete" ? { word: "L7RSP", code } : null;
    if (state === "arriving") {
      this.#interimWork += bodyLength * size;
      if (this.#interimWork > maxInterimWork) return null;
    }
    const isMatch = matches(this.#response.bodyText());
    // Expected or forbidden text may still follow; text that was found stays found.
    if (state !== "complete" && !isMatch) return null;
    return { word: isMatch !== not ? "L7OK" : "L7RSP", code };
  }
}
