// A node's state in words.

import type { MeshNode } from "../../domain/model/node.ts";

/** Tags for everything unusual about a node; nothing if it is ready. */
export function NodeState({ node }: { node: MeshNode }) {
  const stateText = nodeStateText(node);
  return (
    <>
      {stateText !== "ready" && (
        <span class={`tag ${stateText === "down" ? "is-bad" : "is-warn"}`}>{stateText}</span>
      )}
      <AdminStateTag node={node} />
    </>
  );
}

/** Nothing if the admin state is `ready`. */
export function AdminStateTag({ node: { admin = "ready" } }: { node: MeshNode }) {
  return admin === "ready" ? null : <span class="tag is-warn">admin state {admin}</span>;
}

/** State and availability in one word; `ready` if the node is up and takes new tasks. */
export function nodeStateText({ state, availability, leaving }: MeshNode): string {
  if (state !== "ready") return state;
  if (leaving === true) return "leaving";
  return { active: "ready", pause: "paused", drain: "drained" }[availability];
}
