// What the operator does to services: create, update, roll back, remove.

import { exclusiveHostsOf } from "../domain/labels/labels.ts";
import { MeshError } from "../domain/model/error.ts";
import { allocatePorts } from "../domain/model/ports.ts";
import { runHash } from "../domain/model/run-hash.ts";
import type { Service, ServiceSpec } from "../domain/model/service.ts";
import { isAlive, type Task } from "../domain/model/task.ts";
import type { World } from "../domain/model/world.ts";
import { beginUpdate, isUpdating } from "../domain/orchestrator/update.ts";
import { validateSpec } from "../domain/validate/service.ts";
import type { ServiceSpecInput, ServiceView } from "./api.ts";
import { type Draft, serviceSubject } from "./draft.ts";
import { findService, requireVersion } from "./refs.ts";
import { sameData } from "./same-data.ts";
import { removeServersOf } from "./servers.ts";

/** A service's document may be this large, bytes as JSON: each of its tasks carries a part of it, and a row ends at 2 MB. */
const maxDocumentBytes = 65_536;

/**
 * Publishes a service.
 *
 * @throws MeshError service/conflict, host/conflict, service/too-large, and what the spec's and the ports' own rules refuse
 */
export function createService(draft: Draft, input: ServiceSpecInput, actor: string): Service {
  const { spec, document } = readInput(input);
  validateSpec(spec);
  const others = [...draft.world.services.values()];
  if (others.some((other) => other.spec.name === spec.name)) throw serviceNameTaken(spec.name);
  checkHosts(spec, others);
  const service: Service = {
    id: draft.context.newId(),
    spec,
    document,
    previous: null,
    ports: allocatePorts(spec.ports, [], others),
    runHash: runHash(spec),
    version: 1,
    createdAtMs: draft.nowMs,
    updatedAtMs: draft.nowMs,
  };
  draft.put("services", service);
  draft.recordEvent(actor, "service.create", serviceSubject(service));
  return service;
}

/**
 * Gives a service another spec, or with `rollback` its previous one; an update under way ends with that. The same spec
 * again raises no version, so that a command that changes nothing does not put another one out of sequence, but sets a
 * paused update going again.
 *
 * @throws MeshError service/not-found, service/sequence, service/invalid, service/precondition, service/too-large
 */
export function updateService(
  draft: Draft,
  ref: string,
  version: number,
  input: ServiceSpecInput | "rollback",
  actor: string,
): Service {
  const service = findService(draft.world, ref);
  requireVersion("service", service, version);
  const { spec, document } = input === "rollback" ? previousOf(service) : readInput(input);
  validateSpec(spec);
  checkUnchangeable(service, spec);
  if (sameData({ spec, document }, { spec: service.spec, document: service.document })) {
    return input === "rollback" ? service : resume(draft, service, actor);
  }
  const others = [...draft.world.services.values()].filter(({ id }) => id !== service.id);
  checkHosts(spec, others);
  const next: Service = {
    ...service,
    spec,
    document,
    previous: { spec: service.spec, document: service.document },
    ports: allocatePorts(spec.ports, service.ports, others),
    runHash: runHash(spec),
    update: input === "rollback" ? beginUpdate("rollback_started", draft.nowMs) : null,
    version: service.version + 1,
    updatedAtMs: draft.nowMs,
  };
  draft.put("services", next);
  draft.recordEvent(
    actor,
    input === "rollback" ? "service.rollback" : "service.update",
    serviceSubject(next),
  );
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

/** Removes a service: its name and ports are free at once, its tasks stop in order. @throws MeshError service/not-found */
export function removeService(draft: Draft, ref: string, actor: string): void {
  const service = findService(draft.world, ref);
  draft.remove("services", service.id);
  removeServersOf(draft, service.id);
  draft.recordEvent(actor, "service.remove", serviceSubject(service));
}

/** A service with its count of slots that run. A task on a node that is down is not counted: nobody knows. */
export function serviceViews(world: World, services: readonly Service[]): readonly ServiceView[] {
  const slots = new Map(services.map(({ id }) => [id, { running: new Set(), desired: new Set() }]));
  for (const task of world.tasks.values()) {
    const counted = slots.get(task.serviceId);
    if (counted === undefined || task.desired !== "running" || !isAlive(task)) continue;
    counted.desired.add(slotOf(task));
    const up = world.nodes.get(task.nodeId ?? "")?.state !== "down";
    if (task.state === "running" && up) counted.running.add(slotOf(task));
  }
  return services.map((service) => {
    const { mode } = service.spec;
    const counted = slots.get(service.id);
    const desiredTasks = mode.kind === "replicated" ? mode.replicas : (counted?.desired.size ?? 0);
    return { ...service, running: counted?.running.size ?? 0, desiredTasks };
  });
}

/** What is kept is what was read: a copy as JSON keeps it, so that memory and rows cannot differ. */
function readInput(input: ServiceSpecInput): ServiceSpecInput {
  const text = JSON.stringify(input);
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

/** A host name leads to one service. */
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

function slotOf({ slot, nodeId }: Task): string {
  return slot > 0 ? String(slot) : (nodeId ?? "");
}
