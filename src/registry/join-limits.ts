// Limits of joining: a join token is one secret for all machines, and one that leaked must not fill the
// registry.

import { MeshError } from "../domain/model/error.ts";
import { type Allowance, takeOne } from "./allowance.ts";
import type { Draft } from "./draft.ts";

/** Machines that may join at once, and after that one each second. */
const joinsAllowed = { full: 60, intervalMs: 1_000 };
/** Nodes whose agent was never accepted. */
const maxUnseenNodes = 50;

/** Counts a join. @throws MeshError join/too-many */
export function limitJoins(draft: Draft): void {
  const { store, nowMs, world } = draft;
  const { full, intervalMs } = joinsAllowed;
  const stored = store.meta("joinsLeft");
  const before = stored === null ? { left: full, atMs: nowMs } : (JSON.parse(stored) as Allowance);
  const after = takeOne(before, joinsAllowed, nowMs);
  if (after === null) {
    throw tooMany(
      `more than ${full} machines joined at once: one each ${intervalMs / 1_000} s is accepted now, try again`,
    );
  }
  const unseen = [...world.nodes.values()].filter(({ wasReady }) => wasReady !== true).length;
  if (unseen >= maxUnseenNodes) {
    throw tooMany(
      `${unseen} nodes have joined and never connected: remove them with waggle node rm, or wait an hour until they are forgotten`,
    );
  }
  store.setMeta("joinsLeft", JSON.stringify(after));
}

function tooMany(message: string): MeshError {
  return new MeshError("join/too-many", message, { blame: "node", retry: "safe" });
}
