// The log routes: of a service's tasks, and of one task. Logs may hold secrets, so they are for operators.

import { Hono } from "hono";
import { unwrap } from "../../domain/model/error.ts";
import type { Service } from "../../domain/model/service.ts";
import { apiMinorOf } from "../api-version.ts";
import { operatorOnly } from "../auth.ts";
import type { ControlDeps, ControlEnv, ControlRoutes } from "../context.ts";
import { readLogOptions } from "./log-options.ts";
import { serviceLogs, taskLogs } from "./log-reading.ts";
import { logResponse } from "./log-response.ts";

export function logRoutes(deps: ControlDeps): ControlRoutes {
  const { mesh } = deps;
  const routes = new Hono<ControlEnv>();
  routes.get("/services/:ref/logs", operatorOnly, async (c) => {
    const service = unwrap(await mesh.service(c.req.param("ref")));
    const options = readLogOptions(c.req.query());
    return logResponse(serviceLogs(deps, service.id, options), options, {
      isRaw: hasTerminal(service),
      apiMinor: apiMinorOf(c),
    });
  });
  routes.get("/tasks/:id/logs", operatorOnly, async (c) => {
    const { id, serviceId } = unwrap(await mesh.task(c.req.param("id")));
    const options = readLogOptions(c.req.query());
    const service = await mesh.service(serviceId);
    const isRaw = service.ok && hasTerminal(service.value);
    return logResponse(taskLogs(deps, id, options), options, { isRaw, apiMinor: apiMinorOf(c) });
  });
  return routes;
}

function hasTerminal({ document }: Pick<Service, "document">): boolean {
  const spec = document as { TaskTemplate?: { ContainerSpec?: { TTY?: unknown } } } | null;
  return spec?.TaskTemplate?.ContainerSpec?.TTY === true;
}
