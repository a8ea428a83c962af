// A node's state in words: what is unusual about it.

import type { MeshNode } from "../../domain/model/node.ts";

/** What is unusual about a node, in a word; nothing when it is ready and active. */
export function NodeState({ node }: { node: MeshNode }) {
  const word = nodeStateText(node);
  const balance = node.admin ?? "ready";
  return (
    <>
      {word !== "active" && <span class={`tag ${word === "down" ? "is-bad" : "is-warn"}`}>{word}</span>}
      {balance !== "ready" && <span class="tag is-warn">{balance} at the balancer</span>}
    </>
  );
}

export function nodeStateText({ state, availability, leaving }: MeshNode): string {
  if (state !== "ready") return state;
  if (leaving === true) return "leaving";
  return { active: "active", pause: "paused", drain: "drained" }[availability];
}
