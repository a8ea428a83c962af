// The refusals that HTTP/1.1 and HTTP/2 share, and what a listener sends for one in the form of its entry point.

import type { ListenerProfile } from "./listener-profile.ts";
import type { Refusal } from "./read-request.ts";

export const reasonPhrases: Readonly<Record<Refusal["status"], string>> = {
  400: "Bad Request",
  408: "Request Timeout",
  413: "Content Too Large",
  417: "Expectation Failed",
  431: "Request Header Fields Too Large",
  501: "Not Implemented",
  502: "Bad Gateway",
  503: "Service Unavailable",
  505: "HTTP Version Not Supported",
};

export type RefusalMessage = {
  /** `400 Bad Request` */
  readonly line: string;
  /** Without those about the connection. */
  readonly headers: Readonly<Record<string, string>>;
  readonly body: string;
};

export function refusalMessage(profile: ListenerProfile, { status, reason }: Refusal): RefusalMessage {
  const line = `${status} ${reasonPhrases[status]}`;
  const { type, body } = profile.refusal(line, reason);
  const headers = {
    "content-type": type,
    "content-length": String(Buffer.byteLength(body)),
    "cache-control": "no-store",
    "x-content-type-options": "nosniff",
    ...(status === 503 && { "retry-after": "1" }),
  };
  return { line, headers, body };
}

export const overloaded: Refusal = { status: 503, reason: "too many requests are open on this machine" };

/** The refusal of a request whose body stopped arriving. */
export function stalledBody(bodyTimeoutMs: number): Refusal {
  return { status: 408, reason: `no byte of the request body came for ${bodyTimeoutMs / 1_000} s` };
}

/** The refusal of an expectation other than `100-continue` (RFC 9110 §10.1.1). */
export function unknownExpectation(expectation: string | undefined): Refusal {
  return { status: 417, reason: `cannot meet the expectation "${expectation}"; 100-continue works` };
}
