// The container of a task: whether it has one, and its id.

import type { Task } from "../../domain/model/task.ts";

/** Digits of a container id. */
const containerIdLength = 64;

/** True if a task was started, so that Docker would have a container for it. */
export function hasContainer({ nodeId, state, pid, exitCode, ranSinceMs, containerId }: Task): boolean {
  if (containerId !== undefined) return true;
  return (
    nodeId !== null && (state === "running" || pid !== null || exitCode !== null || ranSinceMs !== undefined)
  );
}

/**
 * The id of a task's container: the daemon's, or for a process 64 hexadecimal digits, as clients expect, which are
 * the task's id. It matches no task, so that `docker inspect` tells the two apart.
 */
export function containerId({ id, containerId: daemonId }: Pick<Task, "id" | "containerId">): string {
  if (daemonId !== undefined) return daemonId;
  const digits = [...id].map((character) => character.charCodeAt(0).toString(16).padStart(2, "0"));
  return digits.join("").padEnd(containerIdLength, "0").slice(0, containerIdLength);
}
