// Addresses: how a node and its tasks may be dialled. Each name here ends up in the routing table.

import { isIP } from "node:net";
import { MeshError } from "../domain/model/error.ts";
import { isHostName } from "../domain/model/host-name.ts";
import type { MeshNode } from "../domain/model/node.ts";
import type { Endpoint, Task } from "../domain/model/task.ts";

/** Refuses a host name that is none. */
export function checkHostname(hostname: string): void {
  if (isDnsName(hostname)) return;
  throw invalid(`cannot read host name "${hostname}": letters, digits, "-" and "." as in a DNS name`);
}

/**
 * Refuses an address under which a node's tasks could not be dialled. At the edge that is every IP address: fetch to
 * one is answered there with error 1003 and never leaves.
 */
export function checkAddress(address: string, mode: "edge" | "local"): void {
  if (mode === "edge") checkEdgeHost(address);
  else if (isIP(address) === 0 && !isDnsName(address)) {
    throw invalid(`cannot read node address "${address}": an IP address or a DNS name`);
  }
}

/** Refuses a host at which a static server could not be dialled; in the edge's case for the same reason. */
export function checkServerHost(host: string, mode: "edge" | "local"): void {
  if (mode === "edge") checkEdgeHost(host);
  else if (isIP(host) === 0 && !isDnsName(host)) {
    throw invalid(`cannot read server address "${host}": an IP address or a DNS name`);
  }
}

/** Refuses endpoints that a task of this node cannot have: each an origin, for a target port of the task, once. */
export function checkEndpoints(
  endpoints: readonly Endpoint[],
  node: MeshNode,
  task: Task,
  mode: "edge" | "local",
): void {
  const seen = new Set<number>();
  for (const { target, origin } of endpoints) {
    if (!task.run.targets.includes(target) || seen.has(target)) {
      throw invalid(`task ${task.id} has no target port ${target}, or has it twice`);
    }
    seen.add(target);
    checkOrigin(origin, node, mode);
  }
}

function checkOrigin(origin: string, node: MeshNode, mode: "edge" | "local"): void {
  const url = URL.parse(origin);
  if (url === null || url.origin !== origin || !/^https?:$/.test(url.protocol)) {
    throw invalid(`cannot read endpoint "${origin}": write it as http://HOST:PORT`);
  }
  if (mode === "edge") checkEdgeHost(url.hostname);
  else checkOwnHost(origin, url, node);
}

function checkOwnHost(origin: string, url: URL, node: MeshNode): void {
  const expected = isIP(node.address) === 6 ? `[${node.address}]` : node.address;
  if (url.protocol !== "http:" || url.hostname !== URL.parse(`http://${expected}`)?.hostname) {
    throw invalid(`endpoint "${origin}" is not at http://${expected}, the address of node ${node.hostname}`);
  }
}

function checkEdgeHost(host: string): void {
  // A URL reads 0x7f.1 and 2130706433 as addresses too.
  const read = URL.parse(`http://${host}`)?.hostname ?? host;
  if (isIP(host) > 0 || isIP(read.replace(/^\[|\]$/g, "")) > 0) {
    throw invalid(
      `"${host}" is an IP address, and the edge refuses to dial one (error 1003): use a DNS name`,
    );
  }
  if (!isDnsName(host) || !host.includes(".")) {
    throw invalid(`"${host}" is no public DNS name: the edge dials by names like node1.example.com`);
  }
}

function isDnsName(host: string): boolean {
  return isHostName(host.toLowerCase());
}

function invalid(message: string): MeshError {
  return new MeshError("address/invalid", message, { blame: "node", retry: "never" });
}
