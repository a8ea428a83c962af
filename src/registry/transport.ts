// The transport to a node's gateway: which of the three the mesh uses, and why it is not a better one.

import type { MeshNode } from "../domain/model/node.ts";
import type { NodeTransport } from "../domain/model/node-gateway.ts";
import type { AddressRules } from "./addresses.ts";

/** Chooses a node's transport. In a local mesh the data plane reaches every address. */
export function chooseTransport(_node: MeshNode, mode: AddressRules["mode"]): NodeTransport {
  if (mode === "local") return { kind: "direct", reason: "" };
  return { kind: "tunnel", reason: "its gateway has not answered at its address" };
}
