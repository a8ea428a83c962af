// Reads the head of an attempt: what it proves, and the header lines that its task gets.

import {
  attemptHeader,
  type GatewayAttempt,
  hostHeader,
  loopHeader,
  methodHeader,
  ownHeaderPrefix,
  type ProvenRequest,
  readAttempt,
  targetHeader,
} from "../../gateway/attempt.ts";
import type { GatewayExchange } from "./exchange.ts";

/** The head of an attempt. Whether its proof is right is not known yet. */
export type AttemptHead = {
  readonly attempt: GatewayAttempt;
  readonly proof: string;
  readonly request: ProvenRequest;
  /** Names and values in turn, for the task. Connection is missing unless the request is an upgrade. */
  readonly headers: readonly string[];
  readonly hasBody: boolean;
  /** The protocol that an upgrade asks for. */
  readonly upgrade: string | null;
};

/** Why a head is no attempt. */
export type HeadRefusal = {
  readonly status: 400 | 403;
  /** A clause for an operator. */
  readonly reason: string;
};

/** Headers about one connection (RFC 9110 §7.6.1), and Expect, which the gateway meets. */
const connectionHeaders: ReadonlySet<string> = new Set([
  "connection",
  "keep-alive",
  "te",
  "trailer",
  "transfer-encoding",
  "upgrade",
  "expect",
]);

/** What `Connection` names beside other headers. */
const connectionOptionWords: ReadonlySet<string> = new Set(["", "keep-alive", "close", "upgrade"]);

/** Headers that `Connection` cannot remove: they frame the body, or come from the attempt. */
const keptAlways: ReadonlySet<string> = new Set(["content-length", "host"]);

export const gatewayPurpose =
  "This is the gateway of a Waggle node: it forwards requests of the mesh's routers to the tasks of the node";

const ownHeaders: ReadonlySet<string> = new Set([attemptHeader, targetHeader, hostHeader, methodHeader]);

/** The attempt of a request; else the reason why it has none. */
export function readAttemptHead(
  exchange: Pick<GatewayExchange, "method" | "rawHeaders" | "isUpgrade">,
): AttemptHead | HeadRefusal {
  const { rawHeaders, isUpgrade } = exchange;
  const own = new Map<string, string>();
  const kept: string[] = [];
  let named: string | null = null;
  let coding: string | null = null;
  let length = "0";
  let upgrade: string | null = null;
  for (let index = 0; index < rawHeaders.length; index += 2) {
    const name = rawHeaders[index] as string;
    const value = rawHeaders[index + 1] as string;
    const lower = name.toLowerCase();
    if (lower.startsWith(ownHeaderPrefix) && lower !== loopHeader) {
      if (own.has(lower) && ownHeaders.has(lower)) return refusal(403, `it has ${lower} twice`);
      own.set(lower, value);
    } else if (lower === "connection") {
      named = named === null ? value : `${named},${value}`;
    } else if (lower === "transfer-encoding") {
      coding = coding === null ? value : `${coding},${value}`;
    } else if (lower === "upgrade" && isUpgrade) {
      upgrade = value;
      kept.push(name, value);
    } else if (lower !== "host" && !isConnectionHeader(lower)) {
      if (lower === "content-length") length = value;
      kept.push(name, value);
    }
  }
  const read = readAttempt(own.get(attemptHeader) ?? "");
  if (read === null) return unreadAttempt(own.get(attemptHeader));
  const request = {
    method: own.get(methodHeader) ?? exchange.method,
    target: own.get(targetHeader) ?? "",
    host: own.get(hostHeader) ?? null,
  };
  const wrong = requestRefusal(request, exchange.method) ?? codingRefusal(coding);
  if (wrong !== null) return wrong;
  const headers = named === null ? kept : withoutNamed(kept, named);
  if (request.host !== null) headers.unshift("Host", request.host);
  if (isUpgrade) headers.push("Connection", "Upgrade");
  if (coding !== null) headers.push("Transfer-Encoding", "chunked");
  return { ...read, request, headers, hasBody: coding !== null || Number(length) > 0, upgrade };
}

/** True for a header that no connection passes on to the next. @param name in lower case */
export function isConnectionHeader(name: string): boolean {
  return connectionHeaders.has(name) || name.startsWith("proxy-");
}

/** The header lines that an intermediary may pass on, without those that `Connection` names. */
export function withoutNamed(lines: readonly string[], connection: string): string[] {
  const options = connection.toLowerCase().split(",");
  const names = options.map((option) => option.trim()).filter((option) => !connectionOptionWords.has(option));
  if (names.length === 0) return lines as string[];
  const dropped = new Set(names.filter((name) => !keptAlways.has(name)));
  const kept: string[] = [];
  for (let index = 0; index < lines.length; index += 2) {
    const name = lines[index] as string;
    if (!dropped.has(name.toLowerCase())) kept.push(name, lines[index + 1] as string);
  }
  return kept;
}

function unreadAttempt(text: string | undefined): HeadRefusal {
  if (text === undefined) return refusal(403, "it carries no proof of a router");
  return refusal(403, `its ${attemptHeader} cannot be read; router and agent may be of different releases`);
}

/** Refuses what the task would not get as it was proven. */
function requestRefusal({ method, target, host }: ProvenRequest, wireMethod: string): HeadRefusal | null {
  if (!/^(?:\/[!-~]*|\*)$/.test(target)) {
    const reason = `its ${targetHeader} is "${shown(target)}", not * and not a path of visible characters that begins with /`;
    return refusal(400, reason);
  }
  // Node's client would write lower-case letters as capitals.
  if (!/^[!#$%&'*+.^_`|~0-9A-Z-]{1,64}$/.test(method)) {
    return refusal(400, `its ${methodHeader} is "${shown(method)}", which is not a method in capitals`);
  }
  // A response to HEAD has no body, and one to CONNECT is a tunnel: both transports must agree on that.
  if (method === "CONNECT" || (method === "HEAD") !== (wireMethod === "HEAD")) {
    return refusal(400, `a ${wireMethod} cannot carry the method ${method}`);
  }
  // "-" stands for no host in the text that is proven.
  if (host !== null && (host === "-" || !/^[!-~]{0,512}$/.test(host))) {
    return refusal(400, `its ${hostHeader} is "${shown(host)}", which is not a host`);
  }
  return null;
}

function codingRefusal(coding: string | null): HeadRefusal | null {
  if (coding === null || coding.toLowerCase() === "chunked") return null;
  return refusal(400, `its transfer-encoding is "${shown(coding)}"; chunked works`);
}

function refusal(status: HeadRefusal["status"], reason: string): HeadRefusal {
  return { status, reason };
}

/** The first part of a text from outside, in visible characters. */
function shown(text: string): string {
  return text.slice(0, 60).replace(/[^ -~]/g, "?");
}
