// The operator's changes of services: create, update, roll back, remove.

import { exclusiveHostsOf } from "../domain/labels/labels.ts";
import { MeshError } from "../domain/model/error.ts";
import { allocatePorts } from "../domain/model/ports.ts";
import { nextRunHash, runHash } from "../domain/model/run-hash.ts";
import { isJob, type Service, type ServiceSpec } from "../domain/model/service.ts";
import { recordedChanges } from "../domain/model/spec-changes.ts";
import { isAlive, slotOf } from "../domain/model/task.ts";
import type { World } from "../domain/model/world.ts";
import { beginUpdate, isUpdating } from "../domain/orchestrator/update.ts";
import { validateSpec } from "../domain/validate/service.ts";
import { settleAddresses } from "./address-allocation.ts";
import type { ServiceSpecInput, ServiceView } from "./api.ts";
import { checkDependencies } from "./dependencies.ts";
import { type Draft, serviceSubject } from "./draft.ts";
import { resolveNetworks } from "./networks.ts";
import { findOwnService, readOnly, requireVersion } from "./refs.ts";
import { sameData } from "./same-data.ts";
import { sealRandomLength, sealText } from "./sealed-text.ts";
import { removeServersOf } from "./servers.ts";
import type { WorldIndex } from "./world-index.ts";

/**
 * Largest service, bytes as JSON. Each of its tasks has a copy of a part of it, and a row is limited to 2 MB.
 */
const maxDocumentBytes = 65_536;

/**
 * @throws MeshError service/conflict, host/conflict, service/too-large, and those of validateSpec and
 *   allocatePorts
 */
export function createService(draft: Draft, input: ServiceSpecInput, actor: string): Service {
  const { spec, document } = resolveNetworks(draft.world, readInput(input));
  const sealedAuth = sealedAuthOf(draft, input, null);
  validateSpec(spec);
  checkDependencies(draft.store, spec.run.dependencies ?? []);
  const others = [...draft.world.services.values()];
  const holder = others.find((other) => other.spec.name === spec.name);
  if (holder?.discovered !== undefined) throw readOnly(draft.world, holder);
  if (holder !== undefined) throw serviceNameTaken(spec.name);
  checkHosts(spec, others);
  const service: Service = {
    id: draft.context.newId(),
    spec,
    document,
    previous: null,
    ...(sealedAuth !== undefined && { sealedAuth }),
    ports: allocatePorts(spec.ports, [], others),
    runHash: runHash(spec, document),
    ...(isJob(spec.mode) && { job: { iteration: 0, startedAtMs: draft.nowMs } }),
    version: 1,
    createdAtMs: draft.nowMs,
    updatedAtMs: draft.nowMs,
  };
  draft.recordEvent(actor, "service.create", serviceSubject(service));
  return putWithAddresses(draft, service);
}

/**
 * Replaces a service's spec by `input`, or by the previous spec. This ends an update in progress.
 *
 * An equal spec resumes a paused update and raises no version: a command that changes nothing must not put
 * another command out of sequence. A job runs again with every update, as in Swarm.
 *
 * @throws MeshError service/not-found, service/sequence, service/invalid, service/precondition,
 *   service/too-large
 */
export function updateService(
  draft: Draft,
  ref: string,
  version: number,
  input: ServiceSpecInput | "rollback",
  actor: string,
): Service {
  const service = findOwnService(draft.world, ref);
  requireVersion("service", service, version);
  const { spec, document } = resolveNetworks(
    draft.world,
    input === "rollback" ? previousOf(service) : readInput(input),
  );
  const sealedAuth = sealedAuthOf(draft, input, service);
  validateSpec(spec);
  checkUnchangeable(service, spec);
  checkDependencies(draft.store, spec.run.dependencies ?? []);
  const isSame = sameData({ spec, document }, { spec: service.spec, document: service.document });
  if (isSame && service.job === undefined) {
    return input === "rollback" ? service : resume(draft, withAuth(draft, service, sealedAuth), actor);
  }
  const others = [...draft.world.services.values()].filter(({ id }) => id !== service.id);
  checkHosts(spec, others);
  const { sealedAuth: authBefore, ...unsealed } = service;
  const next: Service = {
    ...unsealed,
    spec,
    document,
    previous: {
      spec: service.spec,
      document: service.document,
      ...(authBefore !== undefined && { sealedAuth: authBefore }),
    },
    ...(sealedAuth !== undefined && { sealedAuth }),
    ports: allocatePorts(spec.ports, service.ports, others),
    runHash: nextRunHash(service, spec, document),
    ...(service.job
      ? { job: { iteration: service.job.iteration + 1, startedAtMs: draft.nowMs } }
      : { update: input === "rollback" ? beginUpdate("rollback_started", draft.nowMs) : null }),
    version: service.version + 1,
    updatedAtMs: draft.nowMs,
  };
  draft.recordEvent(
    actor,
    input === "rollback" ? "service.rollback" : "service.update",
    serviceSubject(next),
    "",
    recordedChanges(service.spec, spec),
  );
  return putWithAddresses(draft, next);
}

/** Saves a service with its virtual addresses, so that the caller gets what a reader will. */
function putWithAddresses(draft: Draft, service: Service): Service {
  draft.put("services", service);
  settleAddresses(draft);
  return draft.world.services.get(service.id) ?? service;
}

/** The credentials of the service after a change. @param service null if it is created */
function sealedAuthOf(
  { context }: Draft,
  input: ServiceSpecInput | "rollback",
  service: Service | null,
): string | undefined {
  if (input === "rollback") return service?.previous?.sealedAuth;
  const { registryAuth } = input;
  if (registryAuth === undefined) return service?.sealedAuth;
  if (typeof registryAuth !== "string") return service?.previous?.sealedAuth;
  return sealText(registryAuth, context.sealSecret, context.newSecret(sealRandomLength));
}

/** New credentials alone replace no task: they are for the next pull. */
function withAuth(draft: Draft, service: Service, sealedAuth: string | undefined): Service {
  if (sealedAuth === undefined || sealedAuth === service.sealedAuth) return service;
  const next = { ...service, sealedAuth };
  draft.put("services", next);
  return next;
}

function resume(draft: Draft, service: Service, actor: string): Service {
  if (!service.update || isUpdating(service)) return service;
  const next = { ...service, update: null };
  draft.put("services", next);
  if (service.update.completedAtMs === null)
    draft.recordEvent(actor, "service.resume", serviceSubject(service));
  return next;
}

/**
 * Removes a service. Its name and ports are free at once; its tasks leave the routing table before they stop.
 *
 * @throws MeshError service/not-found
 */
export function removeService(draft: Draft, ref: string, actor: string): void {
  const service = findOwnService(draft.world, ref);
  draft.remove("services", service.id);
  removeServersOf(draft, service.id);
  draft.recordEvent(actor, "service.remove", serviceSubject(service));
}

/**
 * Services with their number of running slots. A task on a node that is down does not count: its state is
 * unknown.
 */
export function serviceViews(
  world: World,
  index: WorldIndex,
  services: readonly Service[],
): readonly ServiceView[] {
  return services.map((service) => {
    const { mode } = service.spec;
    const slots = { running: new Set(), desired: new Set(), completed: new Set() };
    for (const task of index.tasksOfService(world, service.id)) {
      if (task.jobIteration !== service.job?.iteration) continue;
      if (task.jobIteration !== undefined && task.state === "complete") slots.completed.add(slotOf(task));
      if (task.desired !== "running" || !isAlive(task)) continue;
      slots.desired.add(slotOf(task));
      const isNodeUp = world.nodes.get(task.nodeId ?? "")?.state !== "down";
      if (task.state === "running" && isNodeUp) slots.running.add(slotOf(task));
    }
    const desiredTasks = mode.kind === "replicated" ? mode.replicas : slots.desired.size;
    return { ...service, running: slots.running.size, desiredTasks, completed: slots.completed.size };
  });
}

/** A copy as JSON stores it, so that memory and rows are equal. @throws MeshError service/too-large */
function readInput({ spec, document }: ServiceSpecInput): ServiceSpecInput {
  const text = JSON.stringify({ spec, document });
  const bytes = new TextEncoder().encode(text).length;
  if (bytes <= maxDocumentBytes) return JSON.parse(text) as ServiceSpecInput;
  throw new MeshError(
    "service/too-large",
    `the service takes ${bytes} bytes as JSON, at most ${maxDocumentBytes} are kept`,
    { blame: "operator", retry: "never" },
  );
}

function serviceNameTaken(name: string): MeshError {
  const message = `name conflicts with an existing object: service ${name} already exists`;
  return new MeshError("service/conflict", message, { blame: "operator", retry: "never" });
}

/** Refuses a host name of another service. @throws MeshError host/conflict */
function checkHosts(spec: ServiceSpec, others: readonly Service[]): void {
  const hosts = new Set(exclusiveHostsOf(spec.labels));
  for (const other of others) {
    const host = exclusiveHostsOf(other.spec.labels).find((taken) => hosts.has(taken));
    if (host === undefined) continue;
    const message = `host name ${host} already leads to service ${other.spec.name}`;
    throw new MeshError("host/conflict", message, { blame: "operator", retry: "never" });
  }
}

function previousOf({ id, previous }: Service): ServiceSpecInput {
  if (previous !== null) return previous;
  throw new MeshError("service/precondition", `service ${id} does not have a previous spec`, {
    blame: "operator",
    retry: "never",
  });
}

function checkUnchangeable({ spec: before }: Service, after: Service["spec"]): void {
  const refuse = (message: string) =>
    new MeshError("service/invalid", message, { blame: "operator", retry: "never" });
  if (after.name !== before.name) throw refuse("renaming services is not supported");
  if (after.mode.kind !== before.mode.kind) throw refuse("service mode change is not allowed");
}
