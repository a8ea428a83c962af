// What a task is called.

import type { Task } from "./task.ts";

/** `my-web.1`, or `my-web.<node id>` for a task of a global service. */
export function taskName(serviceName: string, task: Pick<Task, "slot" | "nodeId" | "forNode">): string {
  return `${serviceName}.${task.slot > 0 ? task.slot : (task.nodeId ?? task.forNode ?? 0)}`;
}
