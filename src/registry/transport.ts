// The transport to a node's gateway: which of the three the mesh uses, and why it is not a better one.

import { MeshError } from "../domain/model/error.ts";
import { type MeshNode, transportLabel } from "../domain/model/node.ts";
import {
  type DialedTransport,
  type GatewayCheck,
  gatewayUrl,
  isTransport,
  type NodeTransport,
  type Transport,
  transports,
} from "../domain/model/node-gateway.ts";
import { type AddressRules, whyNotDialed } from "./addresses.ts";

/** The part of a node that decides about its transport. */
type ChoosingNode = Pick<
  MeshNode,
  "hostname" | "address" | "gateway" | "labels" | "provenAddress" | "gatewayCheck"
>;

/** A transport, or why the mesh has no way to the node. */
export type TransportChoice = NodeTransport | { readonly kind: null; readonly reason: string };

const pinnedText = `pinned by an operator (label ${transportLabel})`;

/**
 * Chooses a node's transport. A pin decides while the mesh has that transport. An address that may not be
 * dialed leaves the tunnel, whatever is pinned. Otherwise direct is the best: a local mesh uses it until a check
 * fails, the edge once a check succeeded. Without a tunnel, a node stays direct.
 *
 * @see docs/decisions/0075-transports.md
 */
export function chooseTransport(node: ChoosingNode, rules: AddressRules): TransportChoice {
  const pin = pinOf(node.labels);
  if (pin === "tunnel" && rules.hasTunnel) return { kind: "tunnel", reason: pinnedText };
  const dialed = dialedTransport(pin, rules);
  const why = whyNotDialed(node, dialed, rules);
  if (why !== null) return { kind: rules.hasTunnel ? "tunnel" : null, reason: why };
  const check = currentCheck(node, dialed);
  if (dialed === "vpc") return { kind: "vpc", reason: check?.problem || pinnedText };
  const isFixed = pin === "direct" || !rules.hasTunnel;
  if (isFixed || check?.problem === "") return { kind: "direct", reason: check?.problem ?? "" };
  if (check !== null) return { kind: "tunnel", reason: check.problem };
  return rules.mode === "local"
    ? { kind: "direct", reason: "" }
    : { kind: "tunnel", reason: `${urlOf(node)} was not checked yet` };
}

/** Where a node's gateway may be checked; null if only its tunnel is used, or its address may not be dialed. */
export function checkedGateway(
  node: ChoosingNode,
  rules: AddressRules,
): Omit<GatewayCheck, "problem"> | null {
  const pin = pinOf(node.labels);
  const url = urlOf(node);
  if (url === null || (pin === "tunnel" && rules.hasTunnel)) return null;
  const transport = dialedTransport(pin, rules);
  return whyNotDialed(node, transport, rules) === null ? { transport, url } : null;
}

/**
 * Checks the label that pins a transport, if an update changes it.
 *
 * @throws MeshError label/invalid if it names no transport, or one that the mesh does not have
 */
export function checkTransportLabel(
  before: MeshNode["labels"],
  after: MeshNode["labels"],
  { hasTunnel, hasVpc }: AddressRules,
): void {
  const text = after[transportLabel];
  if (text === undefined || text === before[transportLabel] || text === "auto") return;
  if (!isTransport(text)) {
    throw invalidLabel(`label '${transportLabel}' has '${text}': write ${transports.join(", ")} or auto`);
  }
  const binding = text === "tunnel" && !hasTunnel ? "TUNNEL" : text === "vpc" && !hasVpc ? "VPC" : null;
  if (binding === null) return;
  throw invalidLabel(
    `this mesh has no transport ${text}: add the binding ${binding} to its Workers, see docs/nodes.md`,
  );
}

/** The transport that an operator pinned; null if the mesh chooses. */
function pinOf(labels: MeshNode["labels"]): Transport | null {
  const text = labels[transportLabel];
  return text !== undefined && isTransport(text) ? text : null;
}

function dialedTransport(pin: Transport | null, { hasVpc }: AddressRules): DialedTransport {
  return pin === "vpc" && hasVpc ? "vpc" : "direct";
}

/** The last check, unless the gateway has another address or transport since then. */
function currentCheck(node: ChoosingNode, transport: DialedTransport): GatewayCheck | null {
  const { gatewayCheck } = node;
  return gatewayCheck?.transport === transport && gatewayCheck.url === urlOf(node) ? gatewayCheck : null;
}

function urlOf({ address, gateway }: ChoosingNode): string | null {
  return gateway === undefined ? null : gatewayUrl(address, gateway);
}

function invalidLabel(message: string): MeshError {
  return new MeshError("label/invalid", message, { blame: "operator", retry: "never" });
}
