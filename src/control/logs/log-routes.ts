// The log routes: of a service's tasks, and of one task. Logs may hold secrets, so they are for operators.

import { Hono } from "hono";
import { unwrap } from "../../domain/model/error.ts";
import type { Service } from "../../domain/model/service.ts";
import { isAlive } from "../../domain/model/task.ts";
import { operatorOnly } from "../auth.ts";
import type { ControlDeps, ControlEnv, ControlRoutes } from "../context.ts";
import { readLogOptions } from "./log-options.ts";
import { LogReading } from "./log-reading.ts";
import { logResponse } from "./log-response.ts";

export function logRoutes({ mesh, dialGateway }: ControlDeps): ControlRoutes {
  const routes = new Hono<ControlEnv>();
  routes.get("/services/:ref/logs", operatorOnly, async (c) => {
    const service = unwrap(await mesh.service(c.req.param("ref")));
    const options = readLogOptions(c.req.query());
    const tasks = async () => {
      const found = await mesh.tasks({ services: [service.id] });
      return { tasks: found.ok ? found.value : [], isFinal: !found.ok };
    };
    return logResponse(new LogReading({ mesh, dialGateway, tasks }, options), options, hasTerminal(service));
  });
  routes.get("/tasks/:id/logs", operatorOnly, async (c) => {
    const { id, serviceId } = unwrap(await mesh.task(c.req.param("id")));
    const options = readLogOptions(c.req.query());
    const service = await mesh.service(serviceId);
    const tasks = async () => {
      const found = await mesh.task(id);
      return found.ok
        ? { tasks: [found.value], isFinal: !isAlive(found.value) }
        : { tasks: [], isFinal: true };
    };
    const isRaw = service.ok && hasTerminal(service.value);
    return logResponse(new LogReading({ mesh, dialGateway, tasks }, options), options, isRaw);
  });
  return routes;
}

function hasTerminal({ document }: Pick<Service, "document">): boolean {
  const spec = document as { TaskTemplate?: { ContainerSpec?: { TTY?: unknown } } } | null;
  return spec?.TaskTemplate?.ContainerSpec?.TTY === true;
}
