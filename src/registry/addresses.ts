// Addresses of nodes, tasks and static servers: which ones may be dialed. Each ends up in the routing table.
//
// A node's address is its own claim. It counts if the registry saw the node connect from it, or if an operator
// confirmed it: by the node's label `waggle.address`, or for every node by the variable NODE_ADDRESSES. A DNS
// name always needs an operator, because a node may point a name of its own anywhere at any time.

import { isIP } from "node:net";
import { dialedHost, isLoopback, isSameHost, whyNeverDialed } from "../domain/model/dialed-host.ts";
import { MeshError } from "../domain/model/error.ts";
import { isHostName } from "../domain/model/host-name.ts";
import { type HostPattern, isConfirmed, readHostPatterns } from "../domain/model/host-pattern.ts";
import { addressLabel, type MeshNode } from "../domain/model/node.ts";
import type { DialedTransport } from "../domain/model/node-gateway.ts";
import { isOwnSocket, type OwnSocket } from "../domain/model/own-socket.ts";
import type { Endpoint, Task } from "../domain/model/task.ts";

/** What decides which addresses may be dialed. */
export type AddressRules = {
  /** `edge`: the data plane dials DNS names only. `local`: IP addresses too. */
  readonly mode: "edge" | "local";
  /** The addresses that an operator confirmed for every node. */
  readonly nodeAddresses: readonly HostPattern[];
  /** The control API and the other sockets of the mesh, which no task or server may be. */
  readonly ownSockets: readonly OwnSocket[];
  /** Agents can open tunnels: the Worker has the binding TUNNEL. */
  readonly hasTunnel: boolean;
  /** Private addresses can be dialed: the Worker has the binding VPC. */
  readonly hasVpc: boolean;
};

/** @throws MeshError address/invalid unless the host name has the form of a DNS name */
export function checkHostname(hostname: string): void {
  if (isDnsName(hostname)) return;
  throw invalid(`cannot read host name "${hostname}": letters, digits, "-" and "." as in a DNS name`);
}

/**
 * Checks the form of an address that a node claims. At the edge it must be a DNS name, because fetch to an IP
 * address fails there with error 1003, unless the mesh has another transport.
 *
 * @throws MeshError address/invalid
 */
function checkAddress(address: string, { mode, hasTunnel, hasVpc }: AddressRules): void {
  checkHost(address, "node address", hasTunnel || hasVpc ? "local" : mode);
}

/**
 * Checks the form of the address of a machine that joins or says hello. The mesh dials no balancer: its address
 * is for people.
 *
 * @throws MeshError address/invalid, node/invalid for a node without a gateway
 */
export function checkMachineAddress(
  {
    kind,
    address,
    gateway,
  }: Pick<MeshNode, "address"> & { readonly kind?: unknown; readonly gateway?: unknown },
  rules: AddressRules,
): void {
  checkAddress(address, kind === "balancer" ? { ...rules, mode: "local" } : rules);
  if (kind !== "balancer" && gateway === undefined) {
    throw new MeshError("node/invalid", "the node has no gateway: update its agent", {
      blame: "node",
      retry: "never",
    });
  }
}

/**
 * Why the mesh may not dial a node's gateway at the address that the node claims; null if it may. An address
 * that the node once connected from stays its own: a machine may have several ways to the registry.
 *
 * @see docs/decisions/0059-nodes-are-not-trusted.md
 */
export function whyNotDialed(
  node: Pick<MeshNode, "hostname" | "address" | "gateway" | "labels" | "provenAddress">,
  transport: DialedTransport,
  rules: AddressRules,
): string | null {
  const { hostname, address, gateway, labels } = node;
  if (!isOperatorConfirmed(address, labels, rules) && provenAddress(node, address, null) === null) {
    return `address ${address} is not confirmed: waggle node update --advertise-addr ${address} ${hostname}`;
  }
  if (gateway !== undefined && isOwn(address, gateway.port, rules))
    return ownSocketText(address, gateway.port);
  return transport === "direct" && rules.mode === "edge" ? whyNotAtEdge(address) : null;
}

/**
 * The address as one that the node was seen to connect from, now or before; null if it was not. Loopback
 * proves nothing: behind a proxy on the registry's machine every agent connects from there.
 */
export function provenAddress(
  node: Pick<MeshNode, "provenAddress">,
  address: string,
  client: string | null,
): string | null {
  if (isLoopback(dialedHost(address) ?? "")) return null;
  const isSeen = client !== null && isIP(address) > 0 && isSameHost(client, address);
  return isSeen || node.provenAddress === address ? address : null;
}

/** True if an operator confirmed this host for every node, or for the node that has these labels. */
function isOperatorConfirmed(
  host: string,
  labels: MeshNode["labels"],
  { nodeAddresses }: AddressRules,
): boolean {
  const dialed = dialedHost(host);
  const { patterns } = readHostPatterns(labels[addressLabel] ?? "");
  return dialed !== null && (isConfirmed(dialed, patterns) || isConfirmed(dialed, nodeAddresses));
}

/** @throws MeshError label/invalid if the label that confirms addresses cannot be read */
export function checkAddressLabel(labels: MeshNode["labels"]): void {
  const [unreadable] = readHostPatterns(labels[addressLabel] ?? "").unreadable;
  if (unreadable === undefined) return;
  throw new MeshError(
    "label/invalid",
    `label '${addressLabel}' has '${unreadable}': write addresses as 192.0.2.7,10.0.0.0/8,node1.example.com,*.nodes.example.com`,
    { blame: "operator", retry: "never" },
  );
}

/**
 * Checks the host and port of a static server. The operator names it, so loopback is allowed.
 *
 * @throws MeshError address/invalid
 */
export function checkServerHost(host: string, ports: readonly number[], rules: AddressRules): void {
  const dialed = checkHost(host, "server address", rules.mode);
  for (const port of ports) checkNotOwn(dialed, port, rules);
}

/**
 * Checks the endpoints that a node reports for a task: at most one for each of the task's target ports. Their
 * origins are for people; the data plane asks the node's gateway for a target port.
 *
 * @throws MeshError address/invalid
 */
export function checkEndpoints(endpoints: readonly Endpoint[], task: Task): void {
  const seenTargets = new Set<number>();
  for (const { target } of endpoints) {
    if (!task.run.targets.includes(target) || seenTargets.has(target)) {
      throw invalid(`task ${task.id} has no target port ${target}, or has it twice`);
    }
    seenTargets.add(target);
  }
}

/** Checks the form of a host, and that it may be dialed at all. Returns it as it is dialed. */
function checkHost(host: string, what: string, mode: AddressRules["mode"]): string {
  if (mode === "edge") checkEdgeHost(host);
  const dialed = dialedHost(host);
  if (dialed === null) {
    throw invalid(`cannot read ${what} "${host}": an IP address such as 192.0.2.7, or a DNS name`);
  }
  const why = whyNeverDialed(dialed);
  if (why !== null) {
    throw invalid(`${what} "${host}" is ${why}, which the mesh never dials: use the machine's own address`);
  }
  return dialed;
}

function checkNotOwn(host: string, port: number, rules: AddressRules): void {
  if (isOwn(host, port, rules)) throw invalid(ownSocketText(host, port));
}

function isOwn(host: string, port: number, { ownSockets }: AddressRules): boolean {
  const dialed = dialedHost(host);
  return dialed !== null && isOwnSocket(dialed, port, ownSockets);
}

function ownSocketText(host: string, port: number): string {
  return `${host}:${port} is a socket of the mesh itself, and no service may lead there: use another port`;
}

function checkEdgeHost(host: string): void {
  const why = whyNotAtEdge(host);
  if (why !== null) throw invalid(why);
}

/** Why the edge does not dial a host; null if it does. */
function whyNotAtEdge(host: string): string | null {
  // The URL parser also reads 0x7f.1 and 2130706433 as IP addresses.
  const parsedHost = URL.parse(`http://${host}`)?.hostname ?? host;
  if (isIP(host) > 0 || isIP(parsedHost.replace(/^\[|\]$/g, "")) > 0) {
    return `"${host}" is an IP address, and the edge refuses to dial one (error 1003): use a DNS name`;
  }
  if (isDnsName(host) && host.includes(".")) return null;
  return `"${host}" is not a public DNS name: the edge dials names like node1.example.com`;
}

function isDnsName(host: string): boolean {
  return isHostName(host.toLowerCase());
}

function invalid(message: string): MeshError {
  return new MeshError("address/invalid", message, { blame: "node", retry: "never" });
}
