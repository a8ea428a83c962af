// Settling: reconcile is asked again until it has nothing left to change, so that a saved world is always a decided one.

import type { World } from "../domain/model/world.ts";
import { applyPlan, isEmpty } from "../domain/orchestrator/plan.ts";
import { reconcile } from "../domain/orchestrator/reconcile.ts";
import type { Draft } from "./draft.ts";

/** A decided world takes two or three rounds; more than this is a fault, and the rest is left for the next wake-up. */
const maxReconcileRounds = 20;
const reconcileRetryMs = 1_000;
/** Shortest way to the next wake-up, milliseconds: one that keeps coming at once would never let the object sleep. */
const minReconcileWakeMs = 100;

/** Reconciles the draft until it is settled and sets when to look again. */
export function settleWorld(draft: Draft): void {
  const { nowMs, context, store } = draft;
  for (let round = 0; round < maxReconcileRounds; round += 1) {
    const plan = reconcile(asScheduled(draft.world), { nowMs, newId: context.newId });
    if (isEmpty(plan)) {
      store.setDeadline("reconcile", plan.wakeAtMs && Math.max(plan.wakeAtMs, nowMs + minReconcileWakeMs));
      return;
    }
    draft.replaceWorld(applyPlan(draft.world, plan));
    draft.events.push(...plan.events);
  }
  store.setDeadline("reconcile", nowMs + reconcileRetryMs);
}

/** The world as scheduling sees it: a node whose agent wants to leave is drained. */
function asScheduled(world: World): World {
  if (![...world.nodes.values()].some(({ leaving }) => leaving)) return world;
  const nodes = new Map(
    [...world.nodes].map(([id, node]) => [
      id,
      node.leaving ? { ...node, availability: "drain" as const } : node,
    ]),
  );
  return { ...world, nodes };
}
