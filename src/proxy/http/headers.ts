// Headers at the border of the mesh: what a request's headers say to the mesh, and which headers cross in neither direction.

import type { ForwardedClaims } from "./forwarding.ts";

/** What a request's headers say to the mesh. */
export type RequestHead = ForwardedClaims & {
  /** As sent, with its port; empty where there is none. */
  readonly host: string;
  /** Names of headers that stop at this hop, lower case. */
  readonly hopByHop: readonly string[];
  /** Names of headers that only a trusted proxy may send, lower case. */
  readonly clientClaims: readonly string[];
  readonly via: string | null;
  readonly requestId: string | null;
  /** The request asks for debug headers (`x-waggle-debug: 1`). */
  readonly debug: boolean;
  /** The request asks for a WebSocket. */
  readonly websocket: boolean;
  /** Bytes of the body by Content-Length: 0 without one, null where the length is unknown. */
  readonly bodyBytes: number | null;
  /** The client declares that the request may arrive twice (draft-ietf-httpapi-idempotency-key-header). */
  readonly idempotencyKey: boolean;
};

type MutableHead = { -readonly [Key in keyof RequestHead]: RequestHead[Key] } & {
  hopByHop: string[];
  clientClaims: string[];
};

/**
 * Headers about one connection (RFC 9110 §7.6.1, and those that older software sends), and Expect: the runtime in front
 * has sent `100 Continue` already.
 */
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

/** Headers that name a client's address besides X-Forwarded-*. Applications believe them, so clients may not send them. */
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

/** What to do with each header that means something to the mesh. One look-up per header keeps the usual ones cheap. */
const readers = new Map<string, HeaderReader>([
  ...hopByHopHeaders.map((name) => [name, (head) => head.hopByHop.push(name)] as [string, HeaderReader]),
  ...clientAddressHeaders.map(
    (name) => [name, (head) => head.clientClaims.push(name)] as [string, HeaderReader],
  ),
  ["connection", readConnection],
  ["upgrade", readUpgrade],
  ["transfer-encoding", readTransferEncoding],
  ["content-length", readContentLength],
  ["via", readVia],
  ["x-request-id", readRequestId],
  ["idempotency-key", readIdempotencyKey],
]);

/**
 * Reads a request's headers. Goes over the names and looks up the values of those it knows: turning every value into a
 * string costs a proxied request a twentieth of its time.
 */
export function readRequestHead(headers: Headers): RequestHead {
  const head: MutableHead = {
    host: headers.get("host") ?? "",
    hopByHop: [],
    clientClaims: [],
    via: null,
    requestId: null,
    debug: false,
    websocket: false,
    bodyBytes: 0,
    idempotencyKey: false,
    forwardedFor: null,
    forwardedHost: null,
    forwardedProto: null,
    forwardedPort: null,
    forwarded: null,
  };
  for (const name of headers.keys()) {
    const read = readers.get(name);
    if (read !== undefined) read(head, name, headers);
    else if (name.startsWith("x-")) readExtension(head, name, headers);
  }
  if (head.clientClaims.length > 0) readClaims(head, headers);
  return head;
}

function readConnection(head: MutableHead, name: string, headers: Headers): void {
  head.hopByHop.push(name, ...connectionOptions(headers.get(name) ?? ""));
}

/** Of all upgrades only a WebSocket's crosses the mesh; the runtime adds the Connection header that goes with it. */
function readUpgrade(head: MutableHead, name: string, headers: Headers): void {
  if (headers.get(name)?.toLowerCase() === "websocket") head.websocket = true;
  else head.hopByHop.push(name);
}

function readTransferEncoding(head: MutableHead, name: string): void {
  head.hopByHop.push(name);
  head.bodyBytes = null;
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

function readExtension(head: MutableHead, name: string, headers: Headers): void {
  if (name.startsWith("x-waggle-")) {
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

/** The headers that a Connection header names. */
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

/**
 * Removes hop-by-hop headers from a response.
 *
 * Usually there is only `Connection: keep-alive`. The runtime drops that one itself, with Keep-Alive, TE, Trailer,
 * Transfer-Encoding and Upgrade (seen in workerd of 2026-11-17). A deletion costs about one microsecond, so the rest are
 * deleted only where Connection lists headers or the status is that of a proxy's challenge.
 */
export function cleanResponse(headers: Headers, status: number): void {
  const connection = headers.get("connection");
  if ((connection === null || namesNoHeader(connection)) && status !== 407) return;
  for (const name of connectionOptions(connection ?? "")) headers.delete(name);
  for (const name of hopByHopHeaders) headers.delete(name);
}

/** Whether a request id from outside may be passed on: short, and unable to break a log line. */
export function isRequestId(text: string): boolean {
  return /^[\w.:/+=@-]{1,128}$/.test(text);
}
