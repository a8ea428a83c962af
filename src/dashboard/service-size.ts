// How large a service of the view is, in words.

import { sizeText } from "../domain/service-size.ts";
import type { ServiceView } from "../registry/api.ts";
import { number } from "./parts/words.tsx";
import { lookOfServer } from "./task-look.ts";
import type { View } from "./view.ts";

export function sizeOf({ id, running, desiredTasks: desired }: ServiceView, view: View): string {
  const servers = view.serversOfService(id);
  const up = servers.filter((server) => lookOfServer(server) === "running").length;
  return sizeText({ running, desired }, { up, all: servers.length }, number);
}
