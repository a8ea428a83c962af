// Addresses of nodes, tasks and static servers: which ones can be dialed. Each ends up in the routing table.

import { isIP } from "node:net";
import { MeshError } from "../domain/model/error.ts";
import { isHostName } from "../domain/model/host-name.ts";
import type { MeshNode } from "../domain/model/node.ts";
import type { Endpoint, Task } from "../domain/model/task.ts";

/** @throws MeshError address/invalid unless the host name has the form of a DNS name */
export function checkHostname(hostname: string): void {
  if (isDnsName(hostname)) return;
  throw invalid(`cannot read host name "${hostname}": letters, digits, "-" and "." as in a DNS name`);
}

/**
 * Checks the address under which a node's tasks are dialed. At the edge it must be a DNS name: fetch to an IP
 * address fails there with error 1003.
 *
 * @throws MeshError address/invalid
 */
export function checkAddress(address: string, mode: "edge" | "local"): void {
  if (mode === "edge") checkEdgeHost(address);
  else if (isIP(address) === 0 && !isDnsName(address)) {
    throw invalid(`cannot read node address "${address}": an IP address or a DNS name`);
  }
}

/**
 * Checks the host of a static server, by the same rule as a node's address.
 *
 * @throws MeshError address/invalid
 */
export function checkServerHost(host: string, mode: "edge" | "local"): void {
  if (mode === "edge") checkEdgeHost(host);
  else if (isIP(host) === 0 && !isDnsName(host)) {
    throw invalid(`cannot read server address "${host}": an IP address or a DNS name`);
  }
}

/**
 * Checks the endpoints that a node reports for a task: at most one origin for each of the task's target
 * ports, at the node's own address or, at the edge, at a DNS name.
 *
 * @throws MeshError address/invalid
 */
export function checkEndpoints(
  endpoints: readonly Endpoint[],
  node: MeshNode,
  task: Task,
  mode: "edge" | "local",
): void {
  const seenTargets = new Set<number>();
  for (const { target, origin } of endpoints) {
    if (!task.run.targets.includes(target) || seenTargets.has(target)) {
      throw invalid(`task ${task.id} has no target port ${target}, or has it twice`);
    }
    seenTargets.add(target);
    checkOrigin(origin, node, mode);
  }
}

function checkOrigin(origin: string, node: MeshNode, mode: "edge" | "local"): void {
  const url = URL.parse(origin);
  if (url === null || url.origin !== origin || !/^https?:$/.test(url.protocol)) {
    throw invalid(`cannot read endpoint "${origin}": write it as http://HOST:PORT`);
  }
  if (mode === "edge") checkEdgeHost(url.hostname);
  else checkNodeHost(origin, url, node);
}

function checkNodeHost(origin: string, url: URL, node: MeshNode): void {
  const expected = isIP(node.address) === 6 ? `[${node.address}]` : node.address;
  if (url.protocol !== "http:" || url.hostname !== URL.parse(`http://${expected}`)?.hostname) {
    throw invalid(`endpoint "${origin}" is not at http://${expected}, the address of node ${node.hostname}`);
  }
}

function checkEdgeHost(host: string): void {
  // The URL parser also reads 0x7f.1 and 2130706433 as IP addresses.
  const parsedHost = URL.parse(`http://${host}`)?.hostname ?? host;
  if (isIP(host) > 0 || isIP(parsedHost.replace(/^\[|\]$/g, "")) > 0) {
    throw invalid(
      `"${host}" is an IP address, and the edge refuses to dial one (error 1003): use a DNS name`,
    );
  }
  if (!isDnsName(host) || !host.includes(".")) {
    throw invalid(`"${host}" is not a public DNS name: the edge dials names like node1.example.com`);
  }
}

function isDnsName(host: string): boolean {
  return isHostName(host.toLowerCase());
}

function invalid(message: string): MeshError {
  return new MeshError("address/invalid", message, { blame: "node", retry: "never" });
}
