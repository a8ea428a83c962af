// Checks a request that Node's parser has accepted, and builds the head that the runtime gets. The parser
// (llhttp in strict mode, nghttp2) refuses ambiguous framing; this file refuses what the runtime behind it would
// read differently or cannot express.

import { METHODS } from "node:http";
import { entryHeader } from "../proxy/entry-facts.ts";
import { isHost, unreadableHost } from "../proxy/http/host.ts";
import { methodsWithoutBody } from "../proxy/http/methods.ts";

/** A request head as Node's parser gives it. */
export type ParsedHead = {
  readonly method: string;
  /** The request target as sent (RFC 9112 §3.2). */
  readonly target: string;
  /** `1.1`; `2.0` exactly if there are stream facts */
  readonly version: string;
  /** Names and values in turn, as sent; a character is a byte. */
  readonly rawHeaders: readonly string[];
  /** Absent: the request came over HTTP/1. */
  readonly stream?: StreamFacts;
};

/** What the head of an HTTP/2 stream states in place of a request line's target and of framing headers. */
type StreamFacts = {
  /** `:scheme` */
  readonly scheme: string;
  /** `:authority` (RFC 9113 §8.3.1); null: the head has none, as of a request that was HTTP/1.1 before. */
  readonly authority: string | null;
  /** False if the stream ends with its head. */
  readonly hasBody: boolean;
};

/** The status and reason of the response to a refused request. */
export type Refusal = {
  readonly status: 400 | 408 | 413 | 417 | 431 | 501 | 502 | 503 | 505;
  /** A sentence for the client, without a final period. */
  readonly reason: string;
};

/**
 * A request as the runtime gets it. Its body is streamed, or measured first: the runtime sends the body of a
 * GET or HEAD only with a Content-Length.
 */
export type RuntimeRequest = {
  readonly method: string;
  /** In origin form, or `*`. */
  readonly target: string;
  /** Names and values in turn. */
  readonly headers: readonly string[];
  readonly body: "none" | "streamed" | "measured";
};

/** Methods of Node's parser that the Workers runtime does not have (seen in workerd of 2026-11-17). */
const methodsWithoutRuntime = new Set([
  "BIND",
  "CONNECT",
  "LINK",
  "M-SEARCH",
  "MKCALENDAR",
  "REBIND",
  "SOURCE",
  "UNBIND",
  "UNLINK",
]);

const runtimeMethods: ReadonlySet<string> = new Set(
  METHODS.filter((name) => !methodsWithoutRuntime.has(name)),
);

/**
 * Headers that do not pass: those about the connection to this listener (RFC 9110 §7.6.1), Expect, which Node
 * answers, and those that the listener sets itself.
 */
const droppedHeaders: ReadonlySet<string> = new Set([
  "host",
  entryHeader,
  "connection",
  "keep-alive",
  "proxy-connection",
  "te",
  "trailer",
  "transfer-encoding",
  "upgrade",
  "expect",
]);

/**
 * Checks a request and builds the head for the runtime.
 *
 * @param entry the value of the entry header; the client's own is dropped
 * @param authority host and port of the listener, for a request of HTTP/1.0 without Host
 * @see docs/spec.md U12, U72-U76, Q61-Q62
 */
export function readRequest(head: ParsedHead, entry: string, authority: string): RuntimeRequest | Refusal {
  const headers = readHeaders(head.rawHeaders);
  const refusal = methodRefusal(head) ?? versionRefusal(head) ?? framingRefusal(head, headers);
  if (refusal !== null) return refusal;
  const target = head.stream === undefined ? readTarget(head.target) : readPath(head.target, head.stream);
  if ("status" in target) return target;
  const host = chooseHost(head, headers.get("host") ?? [], target, authority);
  if (typeof host !== "string") return host;
  const isUpgrade = asksForUpgrade(headers) && namesWebSocket(headers);
  const handshake = isUpgrade ? handshakeRefusal(head, headers) : null;
  if (handshake !== null) return handshake;
  const isChunked =
    head.stream === undefined
      ? headers.has("transfer-encoding")
      : head.stream.hasBody && !headers.has("content-length");
  const body = bodyKind(head.method, isChunked, headers);
  return {
    method: head.method,
    target: target.path,
    headers: keptHeaders(head.rawHeaders, headers, [
      "host",
      host,
      entryHeader,
      entry,
      ...(isUpgrade ? ["connection", "Upgrade", "upgrade", "websocket"] : []),
      ...(body === "streamed" && isChunked ? ["transfer-encoding", "chunked"] : []),
    ]),
    body,
  };
}

function bodyKind(method: string, isChunked: boolean, headers: HeaderLines): RuntimeRequest["body"] {
  if (isChunked) return methodsWithoutBody.has(method) ? "measured" : "streamed";
  return Number(headers.get("content-length")?.[0] ?? 0) > 0 ? "streamed" : "none";
}

/** By name in lower case, the values in order. */
type HeaderLines = ReadonlyMap<string, readonly string[]>;

function readHeaders(rawHeaders: readonly string[]): HeaderLines {
  const lines = new Map<string, string[]>();
  for (let index = 0; index < rawHeaders.length; index += 2) {
    const name = (rawHeaders[index] ?? "").toLowerCase();
    const value = rawHeaders[index + 1] ?? "";
    const values = lines.get(name);
    if (values === undefined) lines.set(name, [value]);
    else values.push(value);
  }
  return lines;
}

export const connectRefusal: Refusal = {
  status: 501,
  reason: "CONNECT is not supported; the mesh passes HTTP and WebSockets",
};

function methodRefusal({ method }: ParsedHead): Refusal | null {
  if (method === "CONNECT") return connectRefusal;
  return runtimeMethods.has(method) ? null : unknownMethod(method);
}

/** The refusal of a method that the runtime cannot pass on. */
export function unknownMethod(method: string): Refusal {
  const known = [...runtimeMethods].join(", ");
  return { status: 501, reason: `the method "${method}" is not supported; these are: ${known}` };
}

function versionRefusal({ version, stream }: ParsedHead): Refusal | null {
  return stream !== undefined || version === "1.1" || version === "1.0" ? null : unknownVersion(version);
}

/** The refusal of a version other than HTTP/1.1 and 1.0. */
export function unknownVersion(version: string): Refusal {
  return { status: 505, reason: `HTTP/${version} is not supported on this port; use HTTP/1.1` };
}

/** Headers about a connection, which make a request of HTTP/2 malformed (RFC 9113 §8.2.2). */
const connectionHeaders = ["connection", "keep-alive", "proxy-connection", "transfer-encoding", "upgrade"];

/** Node's parser accepts codings before `chunked` and chunks in HTTP/1.0, which other readers do not. */
function framingRefusal({ version, stream }: ParsedHead, headers: HeaderLines): Refusal | null {
  if (stream !== undefined) {
    const wrong = connectionHeaders.find((name) => headers.has(name));
    return wrong === undefined ? null : { status: 400, reason: `HTTP/2 has no header "${wrong}"` };
  }
  const codings = headers.get("transfer-encoding");
  if (codings === undefined) return null;
  if (version === "1.0")
    return { status: 400, reason: "HTTP/1.0 has no Transfer-Encoding; use Content-Length" };
  if (codings.length === 1 && codings[0]?.toLowerCase() === "chunked") return null;
  return { status: 501, reason: `cannot read Transfer-Encoding "${codings.join(", ")}"; chunked works` };
}

type ReadTarget = {
  readonly path: string;
  /** Host and port of the absolute form; null in origin form. */
  readonly authority: string | null;
  /** The port that its scheme has without one. */
  readonly defaultPort: "80" | "443";
};

/**
 * Reads a request target: origin form, absolute form, or `*`. Refuses characters that the runtime rejects or
 * reads as others: it resolves `\` to `/`, and drops a fragment. Browsers send a backtick in a query.
 */
function readTarget(text: string): ReadTarget | Refusal {
  const refusal = characterRefusal(text);
  if (refusal !== null) return refusal;
  if (isOriginForm(text)) return { path: text, authority: null, defaultPort: "80" };
  return readAbsoluteTarget(text);
}

function isOriginForm(text: string): boolean {
  return text.startsWith("/") || text === "*";
}

function characterRefusal(text: string): Refusal | null {
  const path = text.split("?", 1)[0] ?? "";
  const wrong = /[^!-~]|["<>\\#]/.exec(text)?.[0] ?? /`/.exec(path)?.[0];
  if (wrong === undefined) return null;
  const encoded = wrong.charCodeAt(0).toString(16).toUpperCase().padStart(2, "0");
  const shown = /[!-~]/.test(wrong) ? `"${wrong}"` : `the byte 0x${encoded}`;
  return { status: 400, reason: `the request target contains ${shown}; write it as %${encoded}` };
}

/** Reads `:path`, which is a target in origin form, with the origin that other pseudo-headers state. */
function readPath(text: string, { scheme, authority }: StreamFacts): ReadTarget | Refusal {
  const origin = readOrigin(scheme, authority);
  if ("status" in origin) return origin;
  const refusal = characterRefusal(text);
  if (refusal !== null) return refusal;
  return isOriginForm(text) ? { path: text, ...origin } : unreadableTarget(text);
}

function unreadableTarget(text: string): Refusal {
  const shown = text.slice(0, 100);
  return {
    status: 400,
    reason: `cannot read the request target "${shown}": write a path that begins with /`,
  };
}

/** Reads the absolute form (RFC 9112 §3.2.2). The request goes on with the listener's scheme. */
function readAbsoluteTarget(text: string): ReadTarget | Refusal {
  const [prefix = "", scheme, authority] = /^([a-z][a-z0-9+.-]*):\/\/([^/?]*)/i.exec(text) ?? [];
  if (scheme === undefined || authority === undefined) return unreadableTarget(text);
  const origin = readOrigin(scheme, authority);
  if ("status" in origin) return origin;
  const rest = text.slice(prefix.length);
  return { path: rest.startsWith("/") ? rest : `/${rest}`, ...origin };
}

/** Checks the scheme and authority of a target. */
function readOrigin(
  scheme: string,
  authority: string | null,
): Pick<ReadTarget, "authority" | "defaultPort"> | Refusal {
  const defaultPort = defaultPorts.get(scheme.toLowerCase());
  if (defaultPort === undefined)
    return { status: 400, reason: `the request target has the scheme "${scheme.slice(0, 100)}"; use http` };
  if (authority?.includes("@"))
    return { status: 400, reason: "the request target names a user; send an Authorization header" };
  if (authority === "") return { status: 400, reason: "the request target names no host" };
  return { authority, defaultPort };
}

const defaultPorts: ReadonlyMap<string, ReadTarget["defaultPort"]> = new Map([
  ["http", "80"],
  ["https", "443"],
]);

/**
 * The Host of the request. The absolute form and Host must agree (RFC 9112 §3.2.2 ignores Host; two readers
 * that differ in that would serve different services).
 */
function chooseHost(
  { version }: ParsedHead,
  hosts: readonly string[],
  { authority: target, defaultPort }: ReadTarget,
  authority: string,
): string | Refusal {
  if (hosts.length > 1) return { status: 400, reason: "more than one Host header" };
  const host = hosts[0] ?? "";
  if (hosts.length === 0 && version === "1.1") {
    return { status: 400, reason: "no Host header; HTTP/1.1 requires one" };
  }
  if (hosts.length === 0 && version === "2.0" && target === null) {
    return { status: 400, reason: "neither :authority nor a Host header; HTTP/2 requires one" };
  }
  const canonical = (text: string): string => canonicalAuthority(text, defaultPort);
  if (target !== null && host !== "" && canonical(host) !== canonical(target)) {
    return { status: 400, reason: `the request target names ${target}, and Host ${host}; they must agree` };
  }
  const chosen = host === "" ? (target ?? authority) : host;
  if (isHost(chosen)) return chosen;
  return { status: 400, reason: unreadableHost };
}

/** Lower case, without the default port or an empty one (RFC 9110 §4.2.3). */
function canonicalAuthority(authority: string, defaultPort: string): string {
  const [text, port] = [authority.toLowerCase(), /:(\d*)$/.exec(authority)?.[1]];
  return port === "" || port === defaultPort ? text.slice(0, -port.length - 1) : text;
}

/** True for a handshake that every reader takes for one (RFC 6455 §4.1). */
export function isWebSocketHandshake(head: ParsedHead): boolean {
  const headers = readHeaders(head.rawHeaders);
  return asksForUpgrade(headers) && namesWebSocket(headers) && handshakeRefusal(head, headers) === null;
}

/** Without Connection: Upgrade, an Upgrade header is ignored (RFC 9110 §7.8). */
function asksForUpgrade(headers: HeaderLines): boolean {
  return connectionOptions(headers).includes("upgrade");
}

function handshakeRefusal({ method, version }: ParsedHead, headers: HeaderLines): Refusal | null {
  const upgrades = headers.get("upgrade") ?? [];
  const isAlone = upgrades.length === 1 && upgrades[0]?.trim().toLowerCase() === "websocket";
  const hasBody = headers.has("transfer-encoding") || (headers.get("content-length") ?? ["0"])[0] !== "0";
  if (!isAlone || method !== "GET" || version !== "1.1" || hasBody) {
    return { status: 400, reason: "a WebSocket handshake is a GET of HTTP/1.1 without a body" };
  }
  if (!headers.has("sec-websocket-key")) {
    return { status: 400, reason: "a WebSocket handshake has a Sec-WebSocket-Key" };
  }
  const versions = headers.get("sec-websocket-version") ?? [];
  if (versions.length === 1 && versions[0] === "13") return null;
  return { status: 400, reason: "a WebSocket handshake has Sec-WebSocket-Version: 13" };
}

function namesWebSocket(headers: HeaderLines): boolean {
  return (headers.get("upgrade") ?? []).some((value) => value.toLowerCase().includes("websocket"));
}

/**
 * The client's headers that pass, in order, before `added`. Connection cannot remove Content-Length, which
 * frames the request. Several Cookie lines become one, because the runtime would join them with a comma, which
 * is a character of cookie values (RFC 9113 §8.2.3).
 */
function keptHeaders(
  rawHeaders: readonly string[],
  headers: HeaderLines,
  added: readonly string[],
): readonly string[] {
  const named = new Set(connectionOptions(headers));
  named.delete("content-length");
  const cookies = headers.get("cookie") ?? [];
  const kept: string[] = [];
  let hasCookie = false;
  for (let index = 0; index < rawHeaders.length; index += 2) {
    const name = rawHeaders[index] ?? "";
    const lower = name.toLowerCase();
    if (droppedHeaders.has(lower) || named.has(lower) || (lower === "cookie" && hasCookie)) continue;
    if (lower === "cookie") hasCookie = true;
    kept.push(name, lower === "cookie" ? cookies.join("; ") : (rawHeaders[index + 1] ?? ""));
  }
  return [...kept, ...added];
}

/** The header names that Connection lists, lower case. */
function connectionOptions(headers: HeaderLines): readonly string[] {
  return (headers.get("connection") ?? []).flatMap((value) =>
    value.split(",").map((option) => option.trim().toLowerCase()),
  );
}
