import type { Plan } from "./plan.ts";
import type { World } from "./world.ts";

/** Decides what to change so that the tasks become what the services ask for. */
export function reconcile(_world: World, _at: { nowMs: number; newId: () => string }): Plan {
  throw new Error("not built yet");
}
