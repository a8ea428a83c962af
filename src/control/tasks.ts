// The task routes: list, inspect. The list includes ended tasks; clients sort it by CreatedAt.

import { Hono } from "hono";
import { unwrap } from "../domain/model/error.ts";
import type { Network } from "../domain/model/network.ts";
import { shownDesiredState, type Task, taskName, taskStates } from "../domain/model/task.ts";
import { writeTask } from "../protocol/engine/write-task.ts";
import type { MeshApi, ServiceView } from "../registry/api.ts";
import type { ControlDeps, ControlEnv, ControlRoutes } from "./context.ts";
import { badRequest } from "./errors.ts";
import { type Filters, labelTest, matchesFilter, readFilters } from "./filters.ts";
import { byName, referencedServices } from "./service-references.ts";
import { isOfStack, stackTaskError, warningContext } from "./service-warnings.ts";

const taskFilterKeys = [
  "_up-to-date",
  "desired-state",
  "id",
  "label",
  "name",
  "node",
  "runtime",
  "service",
] as const;
type TaskFilters = Filters<(typeof taskFilterKeys)[number]>;

export function taskRoutes({ mesh, entrySettings }: ControlDeps): ControlRoutes {
  const isOnCloudflare = entrySettings.balancerPort === null;
  const routes = new Hono<ControlEnv>();
  routes.get("/", async (c) => {
    const filters = readFilters(c.req.query("filters"), taskFilterKeys);
    for (const value of filters.get("desired-state") ?? []) checkDesired(value);
    const [tasks, services, networks] = await Promise.all([
      tasksOf(mesh, filters),
      servicesById(mesh),
      networksById(mesh),
    ]);
    const selected = tasks.filter((task) => matches(filters, task, services.get(task.serviceId)));
    const named = byName([...services.values()]);
    const shown = new Set(selected.map(({ serviceId }) => serviceId));
    const shownServices = [...services.values()].filter(({ id }) => shown.has(id));
    const context = await warningContext(mesh, { isOnCloudflare, services: shownServices });
    const warnings = new Map(
      shownServices.map((service) => [service.id, stackTaskError(service, named, context)]),
    );
    return c.json(
      selected.map((task) =>
        writeTask(task, services.get(task.serviceId), networks, warnings.get(task.serviceId)),
      ),
    );
  });
  routes.get("/:id", async (c) => {
    const task = unwrap(await mesh.task(c.req.param("id")));
    const [service, networks] = await Promise.all([mesh.service(task.serviceId), networksOfTask(mesh, task)]);
    if (!service.ok) return c.json(writeTask(task, undefined, networks));
    if (!isOfStack(service.value)) return c.json(writeTask(task, service.value, networks));
    const [named, context] = await Promise.all([
      referencedServices(mesh, service.value),
      warningContext(mesh, { isOnCloudflare, services: [service.value] }),
    ]);
    return c.json(writeTask(task, service.value, networks, stackTaskError(service.value, named, context)));
  });
  return routes;
}

/** Tasks of the selected services and nodes. The manager is not a machine and has no tasks. */
async function tasksOf(mesh: MeshApi, filters: TaskFilters): Promise<readonly Task[]> {
  const services = filters.get("service");
  const nodeRefs = filters.get("node");
  const { id: managerId } = nodeRefs ? await mesh.info() : { id: "" };
  const nodes = nodeRefs?.filter((ref) => ref !== managerId);
  if (nodes?.length === 0) return [];
  return unwrap(await mesh.tasks({ ...(services && { services }), ...(nodes && { nodes }) }));
}

async function servicesById(mesh: MeshApi): Promise<ReadonlyMap<string, ServiceView>> {
  return new Map((await mesh.services()).map((service) => [service.id, service]));
}

async function networksById(mesh: MeshApi): Promise<ReadonlyMap<string, Network>> {
  return byId(await mesh.networks());
}

async function networksOfTask(
  mesh: MeshApi,
  { addresses = [] }: Task,
): Promise<ReadonlyMap<string, Network>> {
  const found = await Promise.all(addresses.map(({ networkId }) => mesh.network(networkId)));
  return byId(found.flatMap((one) => (one.ok ? [one.value] : [])));
}

function byId(networks: readonly Network[]): ReadonlyMap<string, Network> {
  return new Map(networks.map((network) => [network.id, network]));
}

function checkDesired(value: string): void {
  if (!Object.hasOwn(taskStates, value.toLowerCase())) {
    throw badRequest(`Invalid desired-state filter: '${value}'`);
  }
}

function matches(filters: TaskFilters, task: Task, service: ServiceView | undefined): boolean {
  const name = `${taskName(service?.spec.name ?? task.serviceId, task)}.${task.id}`;
  return (
    matchesFilter(filters, "id", (value) => task.id.startsWith(value)) &&
    matchesFilter(filters, "name", (value) => name.startsWith(value)) &&
    matchesFilter(filters, "label", labelTest(service?.spec.labels ?? {})) &&
    matchesFilter(filters, "desired-state", (value) => shownDesiredState(task) === value.toLowerCase()) &&
    matchesFilter(filters, "runtime", (value) => value === "container") &&
    matchesFilter(
      filters,
      "_up-to-date",
      (value) => (value === "true") === (service !== undefined && isUpToDate(task, service)),
    )
  );
}

/** True for a task of the service's current spec, or of the current iteration of a job. */
function isUpToDate(task: Task, { runHash, job }: ServiceView): boolean {
  return job === undefined ? task.runHash === runHash : task.jobIteration === job.iteration;
}
