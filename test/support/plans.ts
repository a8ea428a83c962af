// What tests ask of a plan, and of the addresses that a world lacks.

import { AddressPools, missingAddresses } from "../../src/domain/model/network-addresses.ts";
import type { World } from "../../src/domain/model/world.ts";
import { applyPlan, type Plan } from "../../src/domain/orchestrator/plan.ts";

/** When the first service asks to be reconciled again, epoch milliseconds; null: none does. */
export function firstWakeMs({ wakes }: Pick<Plan, "wakes">): number | null {
  return wakes.size === 0 ? null : Math.min(...wakes.values());
}

/** The world with the addresses that its services and tasks lack; the same world if they lack none. */
export function withAddresses(world: World): World {
  const all = { services: world.services.values(), tasks: world.tasks.values() };
  const pools = new AddressPools(world);
  const missing = missingAddresses(world, all, () => pools);
  return applyPlan(world, { ...missing, removed: [], wakes: new Map(), events: [] });
}
