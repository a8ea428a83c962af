// The relay of a mesh: the route by which a data plane on a machine of its own reaches a node to which only the
// mesh's Workers have a way, through the node's tunnel or a private network.
//
//   any method  /mesh/relay/NODE_ID   an attempt, as the node's gateway gets it; also a WebSocket
//
// The relay learns from headers of its own which machine sends the attempt. It cannot read the attempt's proof,
// and the response has the gateway's mark: end to end, neither side trusts it.
//
// @see docs/decisions/0081-relay.md

import { ownHeaderPrefix } from "./attempt.ts";

/** The path of the route, before the node's id. */
export const relayPath = "/mesh/relay/";

/** A machine with a data plane: the id and the credential of its node. */
export type RelayRouter = { readonly nodeId: string; readonly credential: string };

const routerHeader = `${ownHeaderPrefix}relay-router`;
const credentialHeader = `${ownHeaderPrefix}relay-credential`;

/**
 * Headers that Cloudflare's network adds or changes on the way to a Worker. A task must get those of the
 * request, so that they cross under other names.
 *
 * @see https://developers.cloudflare.com/fundamentals/reference/http-headers/ read 2026-11
 */
const pathHeaders = [
  "accept-encoding",
  "cdn-loop",
  "cf-connecting-ip",
  "cf-connecting-ipv6",
  "cf-connecting-o2o",
  "cf-ew-via",
  "cf-ipcountry",
  "cf-pseudo-ipv4",
  "cf-ray",
  "cf-visitor",
  "cf-worker",
  "true-client-ip",
  "x-forwarded-for",
  "x-forwarded-proto",
  "x-real-ip",
] as const;
const keptPrefix = `${ownHeaderPrefix}kept-`;

/** The headers of an attempt as a machine sends them to the relay. @param attempt not changed */
export function toRelayHeaders(attempt: Headers, { nodeId, credential }: RelayRouter): Headers {
  const headers = new Headers(attempt);
  for (const name of pathHeaders) {
    const value = headers.get(name);
    if (value === null) continue;
    headers.delete(name);
    headers.set(keptPrefix + name, value);
  }
  headers.set(routerHeader, nodeId);
  headers.set(credentialHeader, credential);
  return headers;
}

/** Makes the headers that the relay received those of the attempt again. */
export function restoreAttemptHeaders(headers: Headers): void {
  headers.delete(routerHeader);
  headers.delete(credentialHeader);
  for (const name of pathHeaders) {
    const value = headers.get(keptPrefix + name);
    headers.delete(keptPrefix + name);
    if (value === null) headers.delete(name);
    else headers.set(name, value);
  }
}

/** Which machine a request says that it comes from, not checked yet; null if it does not say so. */
export function readRelayRouter(headers: Headers): RelayRouter | null {
  const nodeId = headers.get(routerHeader) ?? "";
  const credential = headers.get(credentialHeader) ?? "";
  return isNodeId(nodeId) && /^\S{1,200}$/.test(credential) ? { nodeId, credential } : null;
}

/** The id of the node in the path of a request for the relay; null if it has none. */
export function relayedNode(pathname: string): string | null {
  const nodeId = pathname.slice(relayPath.length);
  return pathname.startsWith(relayPath) && isNodeId(nodeId) ? nodeId : null;
}

function isNodeId(text: string): boolean {
  return /^[0-9a-z]{25}$/.test(text);
}
