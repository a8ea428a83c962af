// Settling: applies reconcile's plans until a plan is empty, so that a saved world is always a settled one.

import { allocateAddresses } from "../domain/model/network-addresses.ts";
import { isBalancer } from "../domain/model/node.ts";
import type { World } from "../domain/model/world.ts";
import { applyPlan, isEmpty } from "../domain/orchestrator/plan.ts";
import { reconcile } from "../domain/orchestrator/reconcile.ts";
import type { Draft } from "./draft.ts";

/** Two or three rounds are usual. More than this is a bug; the rest is left for the next wake-up. */
const maxReconcileRounds = 20;
const reconcileRetryMs = 1_000;
/**
 * Shortest delay of the next wake-up, milliseconds: a wake-up that is always due would keep the object awake.
 */
const minReconcileWakeMs = 100;

/** Reconciles the draft until it is settled, and gives new services and tasks their addresses. */
export function settleWorld(draft: Draft): void {
  reconcileWorld(draft);
  draft.replaceWorld(allocateAddresses(draft.world));
}

/** Sets the deadline of the next reconcile, too. */
function reconcileWorld(draft: Draft): void {
  const { nowMs, context, store } = draft;
  for (let round = 0; round < maxReconcileRounds; round += 1) {
    const plan = reconcile(schedulableWorld(draft.world), { nowMs, newId: context.newId });
    if (isEmpty(plan)) {
      store.setDeadline("reconcile", plan.wakeAtMs && Math.max(plan.wakeAtMs, nowMs + minReconcileWakeMs));
      return;
    }
    draft.replaceWorld(applyPlan(draft.world, plan));
    draft.events.push(...plan.events);
  }
  store.setDeadline("reconcile", nowMs + reconcileRetryMs);
}

/** The world with the nodes drained whose agents asked to leave, and without balancers, which take no tasks. */
function schedulableWorld(world: World): World {
  if (![...world.nodes.values()].some((node) => node.leaving || isBalancer(node))) return world;
  const nodes = new Map(
    [...world.nodes]
      .filter(([, node]) => !isBalancer(node))
      .map(([id, node]) => [id, node.leaving ? { ...node, availability: "drain" as const } : node]),
  );
  return { ...world, nodes };
}
