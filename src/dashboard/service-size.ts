// The size of a service in words, with its static servers counted by display status.

import { sizeText } from "../domain/model/service-size.ts";
import type { ServiceView } from "../registry/api.ts";
import { serverDisplayStatus } from "./display-status.ts";
import { formatInteger } from "./text.ts";
import type { DashboardView } from "./view.ts";

export function serviceSizeText(
  { id, running, desiredTasks: desired }: ServiceView,
  view: DashboardView,
): string {
  const servers = view.serversOfService(id);
  const up = servers.filter((server) => serverDisplayStatus(server) === "running").length;
  return sizeText({ running, desired }, { up, all: servers.length }, formatInteger);
}
