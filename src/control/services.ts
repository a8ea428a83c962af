// The service routes: list, inspect, create, update, remove.

import { Hono } from "hono";
import { unwrap } from "../domain/model/error.ts";
import { readServiceSpec } from "../protocol/engine/read-service.ts";
import { withoutStatedFields } from "../protocol/engine/service-defaults.ts";
import { writeService } from "../protocol/engine/write-service.ts";
import type { MeshApi, ServiceSpecInput, ServiceView } from "../registry/api.ts";
import { readBody } from "./body.ts";
import type { ControlDeps, ControlEnv, ControlRoutes } from "./context.ts";
import { badRequest, unwrapForDocker } from "./errors.ts";
import { type Filters, labelTest, matchesFilter, readFilters } from "./filters.ts";
import { readFlag, readVersion } from "./query.ts";
import { readRegistryAuth } from "./registry-auth.ts";
import { referencedServices, referenceWarnings } from "./service-references.ts";
import { ownWarnings, warningContext } from "./service-warnings.ts";

const serviceFilterKeys = ["id", "label", "mode", "name", "runtime"] as const;
type ServiceFilters = Filters<(typeof serviceFilterKeys)[number]>;

export function serviceRoutes({ mesh, newId, entrySettings }: ControlDeps): ControlRoutes {
  const isOnCloudflare = entrySettings.balancerPort === null;
  const routes = new Hono<ControlEnv>();
  routes.get("/", async (c) => {
    const filters = readFilters(c.req.query("filters"), serviceFilterKeys);
    const withStatus = readFlag(c.req.query("status"));
    const services = (await mesh.services()).filter((service) => matches(filters, service));
    return c.json(services.map((service) => writeService(service, withStatus ? service : null)));
  });
  routes.post("/create", async (c) => {
    const auth = readRegistryAuth(c.req.header("x-registry-auth"), undefined);
    const spec = readInput(await readBody(c.req.raw), `service-${newId().slice(0, 8)}`);
    const input = withRegistryAuth(spec, auth);
    const { id } = unwrapForDocker(await mesh.createService(input, "operator"));
    const warnings = await warningsOf(mesh, id, input, isOnCloudflare);
    return c.json({ ID: id, ...(warnings.length > 0 && { Warnings: warnings }) }, 201);
  });
  routes.get("/:ref", async (c) => {
    const service = unwrap(await mesh.service(c.req.param("ref")));
    return c.json(writeService(service, null, readFlag(c.req.query("insertDefaults"))));
  });
  routes.post("/:ref/update", async (c) => {
    const body = await readBody(c.req.raw);
    const version = readVersion("service", c.req.query("version"));
    const auth = readRegistryAuth(c.req.header("x-registry-auth"), c.req.query("registryAuthFrom"));
    const input = isRollback(c.req.query("rollback")) ? "rollback" : withRegistryAuth(readInput(body), auth);
    unwrapForDocker(await mesh.updateService(c.req.param("ref"), version, input, "operator"));
    const warnings = await warningsOf(mesh, c.req.param("ref"), input, isOnCloudflare);
    // Null without warnings, as in Docker's response to an update.
    return c.json({ Warnings: warnings.length > 0 ? warnings : null });
  });
  routes.delete("/:ref", async (c) => {
    unwrapForDocker(await mesh.removeService(c.req.param("ref"), "operator"));
    return c.body(null, 200);
  });
  return routes;
}

/**
 * A service as it is stored: without the fields that responses add, so that a client which sends them back changes
 * neither the service nor its tasks.
 */
function readInput(body: unknown, defaultName?: string): ServiceSpecInput {
  const { spec, document } = readServiceSpec(body, defaultName);
  return { spec, document: withoutStatedFields(document) };
}

function withRegistryAuth(
  input: ServiceSpecInput,
  registryAuth: ServiceSpecInput["registryAuth"],
): ServiceSpecInput {
  return registryAuth === undefined ? input : { ...input, registryAuth };
}

function matches(filters: ServiceFilters, { id, spec }: ServiceView): boolean {
  return (
    matchesFilter(filters, "id", (value) => id.startsWith(value)) &&
    matchesFilter(filters, "name", (value) => spec.name.startsWith(value)) &&
    matchesFilter(filters, "label", labelTest(spec.labels)) &&
    matchesFilter(filters, "mode", (value) => spec.mode.kind === value) &&
    matchesFilter(filters, "runtime", (value) => value === "container")
  );
}

function isRollback(text: string | undefined): boolean {
  if (text === undefined || text === "" || text === "none") return false;
  if (text === "previous") return true;
  throw badRequest(`invalid rollback option '${text}': use previous`);
}

/** What the operator should know of a service that was created or updated. */
async function warningsOf(
  mesh: MeshApi,
  ref: string,
  input: ServiceSpecInput | "rollback",
  isOnCloudflare: boolean,
): Promise<string[]> {
  const own =
    input === "rollback"
      ? []
      : ownWarnings(input, await warningContext(mesh, { isOnCloudflare, services: [input] }));
  const service = await mesh.service(ref);
  // It may have been removed since.
  if (!service.ok) return own;
  return [...own, ...referenceWarnings(service.value, await referencedServices(mesh, service.value))];
}
