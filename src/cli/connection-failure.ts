// Why a connection to a mesh or to Cloudflare's API failed, in a sentence, with what would work.

/** What a user can do about a failed connection; empty if its reason says it. */
export type ConnectionFailure = { readonly reason: string; readonly advice: string };

const tlsAdvice = "write https:// if the server speaks TLS";
const certificateAdvice =
  "NODE_EXTRA_CA_CERTS=FILE trusts the authority of a file, for certificates of your own";

const noTls: ConnectionFailure = {
  reason: "the server there does not speak TLS",
  advice: "write http:// in place of https://",
};

/** By the codes of Node, undici and OpenSSL. */
const failures: Readonly<Record<string, ConnectionFailure>> = {
  ECONNREFUSED: { reason: "connection refused", advice: "" },
  ENOTFOUND: { reason: "no such host", advice: "" },
  EAI_AGAIN: {
    reason: "the host name cannot be resolved (EAI_AGAIN)",
    advice: "check the name, and the DNS of this machine",
  },
  ECONNRESET: { reason: "the connection was closed without a response", advice: tlsAdvice },
  UND_ERR_SOCKET: { reason: "the connection was closed without a response", advice: tlsAdvice },
  EPIPE: { reason: "the connection was closed without a response", advice: tlsAdvice },
  ETIMEDOUT: { reason: "the connection timed out", advice: "" },
  UND_ERR_CONNECT_TIMEOUT: { reason: "the connection timed out", advice: "" },
  EHOSTUNREACH: { reason: "no route to the host", advice: "" },
  ENETUNREACH: { reason: "no route to the network", advice: "" },
  EPROTO: noTls,
  ERR_SSL_WRONG_VERSION_NUMBER: noTls,
  ERR_SSL_PACKET_LENGTH_TOO_LONG: noTls,
};

/**
 * Explains a connection that failed.
 *
 * @param error of `fetch`, whose cause has the code, or of a socket
 * @param timeoutMs the time after which the request was given up
 */
export function connectionFailure(error: unknown, timeoutMs: number): ConnectionFailure {
  if (error instanceof DOMException && error.name === "TimeoutError")
    return { reason: `no response within ${timeoutMs / 1000} s`, advice: "" };
  const cause = innermost(error) as NodeJS.ErrnoException;
  const { message } = cause;
  // A DOMException has a number.
  const code = typeof cause.code === "string" ? cause.code : "";
  const known = failures[code];
  if (known !== undefined) return known;
  if (code.startsWith("ERR_SSL_")) return handshakeFailure(cause);
  if (code.startsWith("HPE_") || cause.name === "HTTPParserError")
    return { reason: "the server there does not speak HTTP", advice: tlsAdvice };
  if (message === "bad port")
    return { reason: "HTTP clients refuse this port", advice: "choose another port" };
  if (isCertificateCode(code))
    return { reason: `its certificate is not trusted (${code})`, advice: certificateAdvice };
  return { reason: message || code || String(error), advice: "" };
}

/** A server that speaks TLS, and ends the handshake with an alert. `reason` is OpenSSL's: `tlsv1 alert protocol version`. */
function handshakeFailure({ code, reason = code ?? "" }: NodeJS.ErrnoException & { reason?: string }) {
  return /HANDSHAKE_FAILURE|UNRECOGNIZED_NAME/.test(code ?? "")
    ? { reason: `the server there has no certificate for this name (${reason})`, advice: "" }
    : { reason: `the TLS handshake failed (${reason})`, advice: "" };
}

/** `fetch` wraps the error of the connection, and a proxy's once more. */
function innermost(error: unknown): unknown {
  const { cause } = error as { cause?: unknown };
  return cause instanceof Error ? innermost(cause) : error;
}

/** OpenSSL's names of verification errors, and Node's for a wrong name. */
function isCertificateCode(code: string): boolean {
  return /CERT|SIGNATURE|_CA$|CRL/.test(code);
}
