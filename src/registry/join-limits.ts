// Limits of joining: a join token is one secret for all machines, and one that leaked must not fill the
// registry.

import { MeshError } from "../domain/model/error.ts";
import type { Draft } from "./draft.ts";

/** Machines that may join at once, and after that one each `joinIntervalMs`. */
const maxJoinsAtOnce = 60;
const joinIntervalMs = 1_000;
/** Nodes whose agent was never accepted. */
const maxUnseenNodes = 50;

/** Joins that are still allowed, at a time: a token bucket. */
export type JoinAllowance = { readonly joins: number; readonly atMs: number };

/** What a join leaves of an allowance; null if it is not allowed. A clock that was set back adds nothing. */
export function takeJoin({ joins, atMs }: JoinAllowance, nowMs: number): JoinAllowance | null {
  const added = Math.max(0, nowMs - atMs) / joinIntervalMs;
  const available = Math.min(maxJoinsAtOnce, joins + added);
  return available < 1 ? null : { joins: available - 1, atMs: nowMs };
}

/** Counts a join. @throws MeshError join/too-many */
export function limitJoins(draft: Draft): void {
  const { store, nowMs, world } = draft;
  const stored = store.meta("joinAllowance");
  const before =
    stored === null ? { joins: maxJoinsAtOnce, atMs: nowMs } : (JSON.parse(stored) as JoinAllowance);
  const left = takeJoin(before, nowMs);
  if (left === null) {
    throw tooMany(
      `more than ${maxJoinsAtOnce} machines joined at once: one each ${joinIntervalMs / 1_000} s is accepted now, try again`,
    );
  }
  const unseen = [...world.nodes.values()].filter(({ wasReady }) => wasReady !== true).length;
  if (unseen >= maxUnseenNodes) {
    throw tooMany(
      `${unseen} nodes have joined and never connected: remove them with waggle node rm, or wait an hour until they are forgotten`,
    );
  }
  store.setMeta("joinAllowance", JSON.stringify(left));
}

function tooMany(message: string): MeshError {
  return new MeshError("join/too-many", message, { blame: "node", retry: "safe" });
}
