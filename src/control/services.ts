// Services: list, look, create, update, remove.

import { Hono } from "hono";
import { unwrap } from "../domain/error.ts";
import { ignoredParts } from "../protocol/engine/ignored.ts";
import { readServiceSpec } from "../protocol/engine/read-service.ts";
import { writeService } from "../protocol/engine/write-service.ts";
import type { ServiceInput, ServiceView } from "../registry/api.ts";
import { readBody } from "./body.ts";
import type { ControlDeps, ControlEnv, Routes } from "./context.ts";
import { badRequest, refusal, relay } from "./errors.ts";
import { type Filters, hasLabel, passes, readFilters } from "./filters.ts";
import { readFlag, readVersion } from "./query.ts";

const filterKeys = ["id", "label", "mode", "name", "runtime"] as const;
type ServiceFilters = Filters<(typeof filterKeys)[number]>;

export function serviceRoutes({ mesh, newId }: ControlDeps): Routes {
  const routes = new Hono<ControlEnv>();
  routes.get("/", async (c) => {
    const filters = readFilters(c.req.query("filters"), filterKeys);
    const counted = readFlag(c.req.query("status"));
    const services = (await mesh.services()).filter((service) => matches(filters, service));
    return c.json(services.map((service) => writeService(service, counted ? service : null)));
  });
  routes.post("/create", async (c) => {
    const input = readServiceSpec(named(await readBody(c.req.raw), newId));
    const { id } = relay(await mesh.createService(input, "operator"));
    const warnings = ignoredParts(input.document);
    return c.json({ ID: id, ...(warnings.length > 0 && { Warnings: warnings }) }, 201);
  });
  routes.get("/:ref", async (c) =>
    c.json(writeService(unwrap(await mesh.service(c.req.param("ref"))), null)),
  );
  routes.post("/:ref/update", async (c) => {
    const body = await readBody(c.req.raw);
    const version = readVersion("service", c.req.query("version"));
    const input = isRollback(c.req.query("rollback")) ? "rollback" : readServiceSpec(body);
    relay(await mesh.updateService(c.req.param("ref"), version, input, "operator"));
    return c.json({ Warnings: warningsOf(input) });
  });
  routes.delete("/:ref", async (c) => {
    relay(await mesh.removeService(c.req.param("ref"), "operator"));
    return c.body(null, 200);
  });
  routes.get("/:ref/logs", async (c) => {
    unwrap(await mesh.service(c.req.param("ref")));
    throw logsElsewhere();
  });
  return routes;
}

/** A spec without a name is given one, as dockerd gives one to `docker service create IMAGE`. */
function named(body: unknown, newId: () => string): unknown {
  const isNameless =
    typeof body === "object" && body !== null && !Array.isArray(body) && !(body as { Name?: unknown }).Name;
  return isNameless ? { ...body, Name: `service-${newId().slice(0, 8)}` } : body;
}

/** The answer to a question for logs. */
export function logsElsewhere(): Error {
  return refusal(
    501,
    "the mesh does not carry logs: each node keeps its tasks' in its agent's state folder, tasks/TASK_ID/log",
  );
}

function matches(filters: ServiceFilters, { id, spec }: ServiceView): boolean {
  return (
    passes(filters, "id", (value) => id.startsWith(value)) &&
    passes(filters, "name", (value) => spec.name.startsWith(value)) &&
    passes(filters, "label", hasLabel(spec.labels)) &&
    passes(filters, "mode", (value) => spec.mode.kind === value) &&
    passes(filters, "runtime", (value) => value === "container")
  );
}

function isRollback(text: string | undefined): boolean {
  if (text === undefined || text === "" || text === "none") return false;
  if (text === "previous") return true;
  throw badRequest(`invalid rollback option '${text}': use previous`);
}

/** Docker's update answers `null` where there is nothing to warn of. */
function warningsOf(input: ServiceInput | "rollback"): string[] | null {
  const warnings = input === "rollback" ? [] : ignoredParts(input.document);
  return warnings.length > 0 ? warnings : null;
}
