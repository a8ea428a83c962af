// The refusal of bytes that Node's HTTP parser does not accept, by the error it reports.

import { maxHeaderBytes } from "./listener-limits.ts";
import { type Refusal, unknownMethod, unknownVersion } from "./read-request.ts";

/** The error of Node's `clientError` event. */
export type ParseError = Error & {
  readonly code?: string;
  /** What the parser expected. */
  readonly reason?: string;
  /** The bytes that it was reading. */
  readonly rawPacket?: Buffer;
  /** Where in the packet the parser stopped. */
  readonly bytesParsed?: number;
};

/** The refusal of a request head above `maxHeaderBytes`. */
export const headTooLarge: Refusal = {
  status: 431,
  reason: `the request head is larger than ${maxHeaderBytes / 1024} KiB`,
};

/** The refusal; null if the connection is reset, so that no refusal would arrive. */
export function parseRefusal(error: ParseError): Refusal | null {
  switch (error.code) {
    case "ECONNRESET":
    case "EPIPE":
      return null;
    case "HPE_INVALID_EOF_STATE":
      return { status: 400, reason: "the request ended early" };
    case "ERR_HTTP_REQUEST_TIMEOUT":
      return { status: 408, reason: "the request head did not arrive in time" };
    case "HPE_HEADER_OVERFLOW":
      return headTooLarge;
    case "HPE_INVALID_METHOD":
      return methodRefusal(error);
    case "HPE_INVALID_VERSION":
      return versionRefusal(error);
    case "HPE_INVALID_URL":
      return {
        status: 400,
        reason:
          "cannot read the request target: write a path that begins with /, and other characters as %XX",
      };
    default:
      return { status: 400, reason: `cannot read the request: ${error.reason ?? error.message}` };
  }
}

/** A method that the parser does not know, or no HTTP at all. */
function methodRefusal(error: ParseError): Refusal {
  const start = lineOf(error);
  const method = /^[!#$%&'*+.^_`|~0-9A-Za-z-]{1,40}(?= [!-~]+ HTTP\/)/.exec(start)?.[0];
  if (method !== undefined) return unknownMethod(method);
  const isTls = start.startsWith("\x16\x03");
  const hint = isTls
    ? "this is a TLS handshake, and this port speaks plain HTTP"
    : "expected METHOD TARGET HTTP/1.1";
  return { status: 400, reason: `cannot read the request line: ${hint}` };
}

/** A version that the parser does not know, or a request line that ends otherwise than with CRLF. */
function versionRefusal(error: ParseError): Refusal {
  const version = / HTTP\/(\d{1,3}\.\d{1,3})\r\n/.exec(lineOf(error))?.[1];
  if (version !== undefined && !version.startsWith("1.")) return unknownVersion(version);
  return { status: 400, reason: "cannot read the request line: expected METHOD TARGET HTTP/1.1 and CRLF" };
}

/** The line at which the parser stopped, and what follows it. Earlier requests of the packet were fine. */
function lineOf({ rawPacket = Buffer.alloc(0), bytesParsed = 0 }: ParseError): string {
  const lineStart = rawPacket.lastIndexOf("\n", Math.max(0, bytesParsed - 1)) + 1;
  return rawPacket.toString("latin1", lineStart, lineStart + 8_192);
}
