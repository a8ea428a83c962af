// Headers at the border of the mesh: what a request's head says to the mesh, and what may not cross in either
// direction.

import type { ForwardedClaims } from "./forwarding.ts";

/** What a request's head says to the mesh. */
export type RequestHead = ForwardedClaims & {
  /** As the client sent it, with its port; empty when there is none. */
  host: string;
  /** Names of headers that stop here, lower case. */
  readonly hopByHop: string[];
  /** Names of headers that only a trusted proxy may send, lower case. */
  readonly clientClaims: string[];
  via: string | null;
  requestId: string | null;
  /** The request asks for `x-waggle-debug`. */
  debug: boolean;
  /** The request asks for a WebSocket. */
  websocket: boolean;
  /** Bytes of the body: 0 without one, null when it is not known beforehand. */
  bodyBytes: number | null;
  /** The client says that this request may arrive twice (draft-ietf-httpapi-idempotency-key-header). */
  idempotencyKey: boolean;
  forwardedFor: string | null;
  forwardedHost: string | null;
  forwardedProto: string | null;
  forwardedPort: string | null;
  forwarded: string | null;
};

/**
 * Headers that are about one connection (RFC 9110 §7.6.1, and those older software sends), and Expect: the runtime in
 * front has said `100 Continue` already.
 */
const hopByHopHeaders = new Set([
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
]);

/** Ways to name a client's address besides X-Forwarded-*: applications believe them, so not everybody may send them. */
const clientAddressHeaders = new Set([
  "forwarded",
  "x-real-ip",
  "x-client-ip",
  "client-ip",
  "true-client-ip",
  "x-cluster-client-ip",
  "cf-connecting-ip",
  "cf-connecting-ipv6",
]);

/**
 * Reads a request's headers. Goes over the names, which is cheap, and looks up the values of those it knows: turning
 * every value into a string costs a proxied request a twentieth of its time.
 */
export function readRequestHead(headers: Headers): RequestHead {
  const head: RequestHead = {
    host: "",
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
    if (hopByHopHeaders.has(name)) takeHopHeader(head, name, headers);
    else if (name.startsWith("x-")) takeExtension(head, name, headers);
    else if (clientAddressHeaders.has(name)) head.clientClaims.push(name);
    else if (name === "via") head.via = headers.get(name);
    else if (name === "idempotency-key") head.idempotencyKey = true;
    else if (name === "content-length" && head.bodyBytes !== null) head.bodyBytes = Number(headers.get(name));
  }
  head.host = headers.get("host") ?? "";
  if (head.clientClaims.length > 0) takeClaims(head, headers);
  return head;
}

function takeHopHeader(head: RequestHead, name: string, headers: Headers): void {
  // The one upgrade that crosses the mesh; the runtime makes the Connection that goes with it.
  if (name === "upgrade" && headers.get(name)?.toLowerCase() === "websocket") {
    head.websocket = true;
    return;
  }
  head.hopByHop.push(name);
  if (name === "connection") addNamed(head.hopByHop, headers.get(name) ?? "");
  if (name === "transfer-encoding") head.bodyBytes = null;
}

function takeExtension(head: RequestHead, name: string, headers: Headers): void {
  if (name.startsWith("x-waggle-")) {
    head.hopByHop.push(name);
    if (name === "x-waggle-debug") head.debug = headers.get(name) === "1";
  } else if (name.startsWith("x-forwarded-") || clientAddressHeaders.has(name)) {
    head.clientClaims.push(name);
  } else if (name === "x-request-id") {
    head.requestId = headers.get(name);
  }
}

function takeClaims(head: RequestHead, headers: Headers): void {
  head.forwardedFor = headers.get("x-forwarded-for");
  head.forwardedHost = headers.get("x-forwarded-host");
  head.forwardedProto = headers.get("x-forwarded-proto");
  head.forwardedPort = headers.get("x-forwarded-port");
  head.forwarded = headers.get("forwarded");
}

/** Adds the names listed in Connection; `keep-alive` and `close` are no headers, and deleting them does no harm. */
function addNamed(stops: string[], connection: string): void {
  if (connection === "keep-alive" || connection === "close") return;
  for (const option of connection.toLowerCase().split(",")) {
    const name = option.trim();
    if (headerName.test(name) && name !== "upgrade") stops.push(name);
  }
}

const headerName = /^[!#$%&'*+.^_`|~0-9a-z-]+$/;

const hopByHopList = [...hopByHopHeaders];

/** Takes from a response what stops at the mesh. Deleting what is not there leaves no garbage; going over names does. */
export function cleanResponse(headers: Headers): void {
  const connection = headers.get("connection");
  if (connection !== null) {
    const named: string[] = [];
    addNamed(named, connection);
    for (const name of named) headers.delete(name);
  }
  for (const name of hopByHopList) headers.delete(name);
}

/** Whether a request id from outside may go on: short, and nothing that could break a log line. */
export function isRequestId(text: string): boolean {
  return /^[\w.:/+=@-]{1,128}$/.test(text);
}
