// Headers at the border of the mesh: what a request's head says to the mesh, and what may not cross in either
// direction. One pass over the headers each way, since each look-up by name costs more than a turn of the loop.

import type { Claims } from "./forwarding.ts";

/** What a request's head says to the mesh. */
export type RequestHead = Claims & {
  /** As the client sent it, with its port; empty when there is none. */
  host: string;
  /** Names of headers that stop here, lower case. */
  readonly stops: string[];
  /** Names of headers that only a trusted proxy may send, lower case. */
  readonly claimed: string[];
  via: string | null;
  requestId: string | null;
  /** The request asks for `x-waggle-debug`. */
  debug: boolean;
  /** The request wants to become a WebSocket. */
  websocket: boolean;
  /** Bytes of the body: 0 without one, null when it is not known beforehand. */
  bodyBytes: number | null;
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
const stopsAtHop = new Set([
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
const claims = new Set([
  "forwarded",
  "x-real-ip",
  "x-client-ip",
  "client-ip",
  "true-client-ip",
  "x-cluster-client-ip",
  "cf-connecting-ip",
  "cf-connecting-ipv6",
]);

/** Reads a request's headers, names in lower case as `Headers` gives them. */
export function readRequestHead(headers: Iterable<readonly [string, string]>): RequestHead {
  const head: RequestHead = {
    host: "",
    stops: [],
    claimed: [],
    via: null,
    requestId: null,
    debug: false,
    websocket: false,
    bodyBytes: 0,
    forwardedFor: null,
    forwardedHost: null,
    forwardedProto: null,
    forwardedPort: null,
    forwarded: null,
  };
  let connection: string | null = null;
  for (const [name, value] of headers) {
    if (name === "connection") connection = value;
    takeHeader(head, name, value);
  }
  if (connection !== null) stopNamed(head.stops, connection);
  return head;
}

function takeHeader(head: RequestHead, name: string, value: string): void {
  if (stopsAtHop.has(name)) {
    if (name === "transfer-encoding") head.bodyBytes = null;
    if (name === "upgrade" && value.toLowerCase() === "websocket") head.websocket = true;
    else head.stops.push(name);
  } else if (name.startsWith("x-")) {
    takeExtension(head, name, value);
  } else if (name === "host") {
    head.host = value;
  } else if (name === "content-length") {
    if (head.bodyBytes !== null) head.bodyBytes = Number(value);
  } else if (name === "via") {
    head.via = value;
  } else if (claims.has(name)) {
    if (name === "forwarded") head.forwarded = value;
    head.claimed.push(name);
  }
}

function takeExtension(head: RequestHead, name: string, value: string): void {
  if (name.startsWith("x-waggle-")) {
    if (name === "x-waggle-debug") head.debug = value === "1";
    head.stops.push(name);
  } else if (name.startsWith("x-forwarded-")) {
    if (name === "x-forwarded-for") head.forwardedFor = value;
    else if (name === "x-forwarded-host") head.forwardedHost = value;
    else if (name === "x-forwarded-proto") head.forwardedProto = value;
    else if (name === "x-forwarded-port") head.forwardedPort = value;
    head.claimed.push(name);
  } else if (name === "x-request-id") {
    head.requestId = value;
  } else if (claims.has(name)) {
    head.claimed.push(name);
  }
}

/** Adds the names listed in Connection; `keep-alive` and `close` are no headers, and deleting them does no harm. */
function stopNamed(stops: string[], connection: string): void {
  for (const option of connection.toLowerCase().split(",")) {
    const name = option.trim();
    if (headerName.test(name) && name !== "upgrade") stops.push(name);
  }
}

const headerName = /^[!#$%&'*+.^_`|~0-9a-z-]+$/;

/** Takes from a response what stops at the mesh, and what only the mesh may say. */
export function cleanResponse(headers: Headers): void {
  let stops: string[] | null = null;
  for (const [name, value] of headers) {
    if (!stopsAtHop.has(name) && !name.startsWith("x-waggle-")) continue;
    stops ??= [];
    stops.push(name);
    if (name === "connection") stopNamed(stops, value);
  }
  if (stops !== null) for (const name of stops) headers.delete(name);
}

/** Whether a request id from outside may go on: short, and nothing that could break a log line. */
export function isRequestId(text: string): boolean {
  return /^[\w.:/+=@-]{1,128}$/.test(text);
}

/** Whether a Host can be read: a name or an address, and at most one port. */
export function isHost(text: string): boolean {
  return /^(?:[\w.-]+|\[[0-9A-Fa-f:.]+\])(?::\d{1,5})?$/.test(text);
}

/** The host name in a Host header: lower case, without port and final dot. */
export function hostName(host: string): string {
  const colon = host.lastIndexOf(":");
  const name = colon > host.lastIndexOf("]") ? host.slice(0, colon) : host;
  return (name.endsWith(".") ? name.slice(0, -1) : name).toLowerCase();
}
