// What the pages call a service's image and mode.

import { runningImages, serviceImageText } from "../domain/model/service-image.ts";
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

/** The image that the tasks run, see service-image.ts. Empty for static servers. */
export function imageText(service: ServiceView, view: DashboardView): string {
  if (isStatic(service, view)) return "";
  return serviceImageText(service.spec.run.image, runningImages(view.tasksOfService(service.id)));
}
