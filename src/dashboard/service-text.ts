// What the pages call a service's image and mode.

import { isAlive } from "../domain/model/task.ts";
import type { ServiceView } from "../registry/api.ts";
import type { DashboardView } from "./view.ts";

/** True for a service that has static servers and no tasks. */
export function isStatic({ id, desiredTasks }: ServiceView, view: DashboardView): boolean {
  return desiredTasks === 0 && view.serversOfService(id).length > 0;
}

/** `replicated`, `static`, `discovered`. */
export function modeText(service: ServiceView, view: DashboardView): string {
  if (service.discovered !== undefined) return "discovered";
  return isStatic(service, view) ? "static" : service.spec.mode.kind;
}

/**
 * The image that the tasks run, and the one that an update did not bring to them:
 * `waggle/whoami (not updated to nope/broken:2)`. Empty for static servers.
 */
export function imageText(service: ServiceView, view: DashboardView): string {
  if (isStatic(service, view)) return "";
  const wanted = service.spec.run.image;
  const running = view
    .tasksOfService(service.id)
    .flatMap((task) => (isAlive(task) && task.state === "running" ? task.run.image : []));
  const images = [...new Set(running)];
  if (images.length === 0 || images.includes(wanted)) return wanted;
  return `${images.join(", ")} (not updated to ${wanted})`;
}
