// What a node's agent says beyond the Engine API, as the engine labels of its Node: Docker's CLI prints them in
// `docker node inspect`.

import { isBalancer, type MeshNode } from "../../domain/model/node.ts";
import { listenersText } from "../../domain/model/node-listeners.ts";

/** `balancer`: the machine takes no tasks. */
export const kindLabel = "waggle.kind";
/** The published ports that the machine opens itself: `2 of 3 ports open`. */
export const ingressLabel = "waggle.ingress";
/** Begins the label of each port that is not open; the rest is the port, the value the reason. */
export const closedPortLabel = "waggle.ingress.closed.";

export function machineLabels(node: Pick<MeshNode, "kind" | "listeners">): Record<string, string> {
  const { listeners } = node;
  return {
    ...(isBalancer(node) && { [kindLabel]: "balancer" }),
    ...(listeners !== undefined && { [ingressLabel]: listenersText(listeners) }),
    ...Object.fromEntries(
      (listeners?.closed ?? []).map(({ port, why }) => [`${closedPortLabel}${port}`, why]),
    ),
  };
}
