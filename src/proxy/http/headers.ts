// Request and response headers: reads those that the mesh acts on, checks request ids, and removes hop-by-hop
// headers.

import type { Failure } from "./failure.ts";
import type { ForwardedClaims } from "./forwarding.ts";
import { loopHeader } from "./loop-marks.ts";

/** The headers of a request that the mesh acts on. */
export type RequestHead = ForwardedClaims & {
  /** The Host header as sent, with its port; empty if absent. */
  readonly host: string;
  /** Names of the headers that end at this hop, lower case. */
  readonly hopByHop: readonly string[];
  /** Names of the headers that only a trusted proxy may send, lower case. */
  readonly clientClaims: readonly string[];
  readonly via: string | null;
  /** The loop marks of the services that the request has passed, `my-web.waggle, api.waggle`. */
  readonly loopMarks: string | null;
  readonly requestId: string | null;
  /** A debug request (`x-waggle-debug: 1`). */
  readonly debug: boolean;
  /** A WebSocket handshake. */
  readonly websocket: boolean;
  /** Bytes of the body by Content-Length: 0 without one, null if the length is unknown. */
  readonly bodyBytes: number | null;
  /** Has an Idempotency-Key, so it may be sent twice (draft-ietf-httpapi-idempotency-key-header). */
  readonly idempotencyKey: boolean;
  /** Why the request must not be forwarded; null if it may be. */
  readonly refusal: Failure | null;
};

type MutableHead = { -readonly [Key in keyof RequestHead]: RequestHead[Key] } & {
  hopByHop: string[];
  clientClaims: string[];
};

/** Hop-by-hop headers (RFC 9110 §7.6.1, and older ones), and Expect: the runtime has responded to it. */
const hopByHopHeaders = [
  "connection",
  "proxy-connection",
  "keep-alive",
  "te",
  "trailer",
  "transfer-encoding",
  "upgrade",
  "proxy-authenticate",
  "proxy-authorization",
  "proxy-authentication-info",
  "expect",
];

/** Headers besides X-Forwarded-* in which applications look for the client's address. */
const clientAddressHeaders = [
  "forwarded",
  "x-real-ip",
  "x-client-ip",
  "client-ip",
  "true-client-ip",
  "x-cluster-client-ip",
  "cf-connecting-ip",
  "cf-connecting-ipv6",
];

type HeaderReader = (head: MutableHead, name: string, headers: Headers) => void;

/**
 * The readers of headers by name. One lookup per header keeps all other headers cheap. The last
 * entry of a name applies: Connection, Upgrade and Transfer-Encoding have readers of their own.
 */
const readers = new Map<string, HeaderReader>([
  ...hopByHopHeaders.map((name) => [name, (head) => head.hopByHop.push(name)] as [string, HeaderReader]),
  ...clientAddressHeaders.map(
    (name) => [name, (head) => head.clientClaims.push(name)] as [string, HeaderReader],
  ),
  ["connection", readConnection],
  ["upgrade", readUpgrade],
  ["transfer-encoding", readTransferEncoding],
  ["authorization", readAuthorization],
  ["content-length", readContentLength],
  ["via", readVia],
  ["x-request-id", readRequestId],
  ["idempotency-key", readIdempotencyKey],
]);

/**
 * Reads a request's headers. Iterates over the names and gets the values of known headers only: turning each
 * value into a string costs five percent of a proxied request's time.
 */
export function readRequestHead(headers: Headers): RequestHead {
  const head: MutableHead = {
    host: headers.get("host") ?? "",
    hopByHop: [],
    clientClaims: [],
    via: null,
    loopMarks: null,
    requestId: null,
    debug: false,
    websocket: false,
    bodyBytes: 0,
    idempotencyKey: false,
    refusal: null,
    forwardedFor: null,
    forwardedHost: null,
    forwardedProto: null,
    forwardedPort: null,
    forwarded: null,
  };
  for (const name of headers.keys()) {
    const read = readers.get(name);
    if (read !== undefined) read(head, name, headers);
    else if (unusualCharacter.test(name)) readUnusualName(head, name);
    else if (name.startsWith("x-")) readExtension(head, name, headers);
  }
  if (head.clientClaims.length > 0) readClaims(head, headers);
  return head;
}

function readConnection(head: MutableHead, name: string, headers: Headers): void {
  head.hopByHop.push(name, ...connectionOptions(headers.get(name) ?? ""));
}

/** Only WebSocket upgrades are forwarded; the runtime adds their Connection header. */
function readUpgrade(head: MutableHead, name: string, headers: Headers): void {
  if (headers.get(name)?.toLowerCase() === "websocket") head.websocket = true;
  else head.hopByHop.push(name);
}

/** The runtime reads any list of codings as chunked and drops the others (seen in workerd of 2026-11-17). */
function readTransferEncoding(head: MutableHead, name: string, headers: Headers): void {
  head.hopByHop.push(name);
  head.bodyBytes = null;
  const coding = headers.get(name) ?? "";
  if (coding.toLowerCase() !== "chunked") {
    head.refusal = { status: 501, reason: `cannot read Transfer-Encoding "${coding}"; chunked works` };
  }
}

/** Schemes that authenticate a connection and not each request (RFC 4559 §6, MS-NTHT §1.3). */
const connectionLogin = /(?:^|,)\s*(ntlm|negotiate)(?![^\s,])/i;

/**
 * After such a login a task takes every request on the connection for this client's, and `fetch` shares its
 * connections between all clients.
 */
function readAuthorization(head: MutableHead, name: string, headers: Headers): void {
  const scheme = connectionLogin.exec(headers.get(name) ?? "")?.[1];
  if (scheme === undefined) return;
  const reason = `a login by ${scheme} belongs to one connection, and clients share the mesh's connections to tasks; use Basic, Bearer or a cookie`;
  head.refusal = { status: 403, reason };
}

function readContentLength(head: MutableHead, name: string, headers: Headers): void {
  if (head.bodyBytes !== null) head.bodyBytes = Number(headers.get(name));
}

function readVia(head: MutableHead, name: string, headers: Headers): void {
  head.via = headers.get(name);
}

function readRequestId(head: MutableHead, name: string, headers: Headers): void {
  head.requestId = headers.get(name);
}

function readIdempotencyKey(head: MutableHead): void {
  head.idempotencyKey = true;
}

const unusualCharacter = /[^a-z0-9-]/;

/**
 * Drops `x_forwarded_for`, `X-Forwarded_Host` and the like, from any client: CGI and WSGI servers read `_` and
 * `-` as one character, older ones every character that is not a letter or digit (RFC 3875 §4.1.18), and no
 * proxy means these names.
 */
function readUnusualName(head: MutableHead, name: string): void {
  const usual = name.replaceAll(/[^a-z0-9]/g, "-");
  const isOwn = /^x-(?:forwarded|waggle)-|^x-request-id$/.test(usual);
  if (isOwn || clientAddressHeaders.includes(usual)) head.hopByHop.push(name);
}

function readExtension(head: MutableHead, name: string, headers: Headers): void {
  if (name === loopHeader) {
    head.loopMarks = headers.get(name);
  } else if (name.startsWith("x-waggle-")) {
    head.hopByHop.push(name);
    if (name === "x-waggle-debug") head.debug = headers.get(name) === "1";
  } else if (name.startsWith("x-forwarded-")) {
    head.clientClaims.push(name);
  }
}

function readClaims(head: MutableHead, headers: Headers): void {
  head.forwardedFor = headers.get("x-forwarded-for");
  head.forwardedHost = headers.get("x-forwarded-host");
  head.forwardedProto = headers.get("x-forwarded-proto");
  head.forwardedPort = headers.get("x-forwarded-port");
  head.forwarded = headers.get("forwarded");
}

/** Names of the headers that a Connection header lists. */
function connectionOptions(connection: string): readonly string[] {
  if (namesNoHeader(connection)) return [];
  return connection
    .toLowerCase()
    .split(",")
    .map((option) => option.trim())
    .filter((name) => headerName.test(name) && name !== "upgrade");
}

function namesNoHeader(connection: string): boolean {
  return connection === "keep-alive" || connection === "close";
}

const headerName = /^[!#$%&'*+.^_`|~0-9a-z-]+$/;

/** What a target's response headers are about. */
export type ResponseTraits = {
  /** It sets cookies. */
  readonly setsCookies: boolean;
  /** It names an address: Location, Content-Location or Refresh. */
  readonly namesAddress: boolean;
};

/**
 * Removes hop-by-hop headers from a response, and those of the mesh's own names: a target does not describe
 * its own route. Reads the names once, because each look-up costs about half a microsecond.
 *
 * Usually there is only `Connection: keep-alive`. The runtime removes it, and Keep-Alive, TE, Trailer,
 * Transfer-Encoding and Upgrade (seen in workerd of 2026-11-17). The others are deleted only if Connection
 * lists headers or the status is 407.
 */
export function cleanResponse(headers: Headers, status: number): ResponseTraits {
  let setsCookies = false;
  let namesAddress = false;
  let hasConnection = false;
  let own: string[] | null = null;
  for (const name of headers.keys()) {
    if (name === "connection") hasConnection = true;
    else if (name === "set-cookie") setsCookies = true;
    else if (name === "location" || name === "content-location" || name === "refresh") namesAddress = true;
    else if (name.startsWith("x-waggle-")) {
      own ??= [];
      own.push(name);
    }
  }
  if (own !== null) for (const name of own) headers.delete(name);
  if (hasConnection || status === 407) removeHopByHop(headers, status);
  return { setsCookies, namesAddress };
}

function removeHopByHop(headers: Headers, status: number): void {
  const connection = headers.get("connection") ?? "close";
  if (namesNoHeader(connection) && status !== 407) return;
  for (const name of connectionOptions(connection)) headers.delete(name);
  for (const name of hopByHopHeaders) headers.delete(name);
}

/** True if a client's request id may be passed on: it is short and cannot break a log line. */
export function isRequestId(text: string): boolean {
  return /^[\w.:/+=@-]{1,128}$/.test(text);
}
