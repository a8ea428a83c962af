// The allocation of addresses on networks in a transaction: to what it changed, and to what waits for an address.

import { missingAddresses, usedByTask } from "../domain/model/network-addresses.ts";
import type { Draft } from "./draft.ts";
import { entriesOf } from "./world-index.ts";

/** Gives the services and tasks that lack an address on one of their networks a free one. */
export function settleAddresses(draft: Draft): void {
  const { world, index } = draft;
  const isWhole = world.networks !== draft.before.networks;
  const services = isWhole
    ? world.services.keys()
    : new Set([...draft.touched("services").keys(), ...index.unaddressed.services]);
  const missing = missingAddresses(
    world,
    {
      services: entriesOf(world.services, services),
      tasks: entriesOf(world.tasks, isWhole ? world.tasks.keys() : tasksToAddress(draft)),
    },
    () => index.addressPools(world),
  );
  for (const service of missing.services) draft.put("services", service);
  for (const task of missing.tasks) draft.put("tasks", task);
}

/** The tasks of full networks wait until a task ends; a network may have thousands of them. */
function tasksToAddress(draft: Draft): Iterable<string> {
  const { index, world } = draft;
  const touched = [...draft.touched("tasks")];
  const hasFreed = touched.some(([id, before]) => {
    const after = world.tasks.get(id);
    return before !== undefined && usedByTask(before).length > (after ? usedByTask(after).length : 0);
  });
  if (hasFreed || draft.touched("services").size > 0) return index.unaddressed.tasks;
  return touched.map(([id]) => id).filter((id) => index.unaddressed.tasks.has(id));
}
