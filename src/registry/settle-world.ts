// Settling: applies reconcile's plans until a plan is empty, so that a saved world is always a settled one.

import { allocateAddresses } from "../domain/model/network-addresses.ts";
import { isBalancer } from "../domain/model/node.ts";
import type { World } from "../domain/model/world.ts";
import { applyPlan, isEmpty } from "../domain/orchestrator/plan.ts";
import { reconcile } from "../domain/orchestrator/reconcile.ts";
import { settleDiscovery } from "./discovery.ts";
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

/** Applies plans until one is empty, and sets the deadline of the next reconcile. */
function reconcileWorld(draft: Draft): void {
  const { nowMs, context, store } = draft;
  settleDiscovery(draft);
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

/**
 * The world with the nodes drained whose agents asked to leave, and without balancers, which take no tasks, and
 * discovered services, whose tasks the mesh neither starts nor stops.
 */
function schedulableWorld(world: World): World {
  const own = withoutDiscovered(world);
  if (![...own.nodes.values()].some((node) => node.leaving || isBalancer(node))) return own;
  const nodes = new Map(
    [...own.nodes]
      .filter(([, node]) => !isBalancer(node))
      .map(([id, node]) => [id, node.leaving ? { ...node, availability: "drain" as const } : node]),
  );
  return { ...own, nodes };
}

function withoutDiscovered(world: World): World {
  if (![...world.services.values()].some(({ discovered }) => discovered)) return world;
  return {
    ...world,
    services: new Map([...world.services].filter(([, { discovered }]) => !discovered)),
    tasks: new Map([...world.tasks].filter(([, { discovered }]) => !discovered)),
  };
}
