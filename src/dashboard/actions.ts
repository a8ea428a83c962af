// The operator's actions on nodes and services: the confirmation of each, and the function that performs it.

import { unwrapForDocker } from "../control/errors.ts";
import { MeshError, unwrap } from "../domain/model/error.ts";
import type { Availability } from "../domain/model/node.ts";
import { isAlive } from "../domain/model/task.ts";
import { readServiceSpec } from "../protocol/engine/read-service.ts";
import type { MeshApi, ServiceSpecInput, ServiceView } from "../registry/api.ts";
import type { Confirmation } from "./pages/confirm.tsx";
import { nodePath, pagePaths, servicePath } from "./paths.ts";
import { readReplicas } from "./service-form.ts";
import { pluralize } from "./text.ts";
import type { DashboardView } from "./view.ts";

export type OperatorAction = {
  readonly confirmation: Confirmation;
  /**
   * Performs the action unless the target changed since its confirmation.
   *
   * @param actor named in the events
   */
  readonly run: (mesh: MeshApi, actor: string) => Promise<unknown>;
};

/** The parameters of an action, from the query of its link or the fields of its form. */
export type ActionParams = Readonly<Record<string, string>>;

/** Sets a node's availability to `params.to`. @throws MeshError node/not-found, availability/invalid */
export async function nodeAction(
  mesh: MeshApi,
  view: DashboardView,
  ref: string,
  params: ActionParams,
): Promise<OperatorAction> {
  const node = unwrap(await mesh.node(ref));
  const availability = readAvailability(params.to ?? "");
  const tasks = pluralize(view.tasksOfNode(node.id).filter((task) => isAlive(task)).length, "task");
  const wording = {
    drain: ["Drain", `Its ${tasks} are replaced on other nodes before they stop; no request is lost.`],
    pause: ["Pause", `Its ${tasks} keep running; new tasks are placed on other nodes.`],
    active: ["Activate", "It takes new tasks again; tasks on other nodes stay there."],
  } as const;
  const [verb, effect] = wording[availability];
  const back = nodePath(node, view.nodes);
  return {
    confirmation: {
      title: `${verb} ${node.hostname}?`,
      effects: [effect],
      verb: `${verb} ${node.hostname}`,
      action: `${back}/availability`,
      back,
      fields: { to: availability, version: String(node.version) },
      isDestructive: availability === "drain",
    },
    run: async (mesh, actor) => {
      const { role, labels } = node;
      const spec = { availability, role, labels };
      unwrapForDocker(await mesh.updateNode(node.id, confirmedVersion(params, node), spec, actor));
    },
  };
}

/** @throws MeshError service/not-found, mode/precondition, replicas/invalid, service/precondition */
export async function serviceAction(
  mesh: MeshApi,
  ref: string,
  name: "scale" | "restart" | "rollback",
  params: ActionParams,
): Promise<OperatorAction> {
  const service = unwrap(await mesh.service(ref));
  const change = { scale, restart, rollback }[name](service, params);
  const back = servicePath(service.spec.name);
  const fields = { ...change.fields, version: String(service.version) };
  return {
    confirmation: { ...change.wording, action: `${back}/${name}`, back, fields },
    run: async (mesh, actor) =>
      unwrapForDocker(
        await mesh.updateService(service.id, confirmedVersion(params, service), change.input(), actor),
      ),
  };
}

type ServiceChange = {
  readonly wording: Pick<Confirmation, "title" | "effects" | "verb" | "isDestructive">;
  readonly fields: Readonly<Record<string, string>>;
  readonly input: () => ServiceSpecInput | "rollback";
};

function scale(service: ServiceView, params: ActionParams): ServiceChange {
  const { mode, name } = service.spec;
  if (mode.kind === "global")
    throw operatorError("mode/precondition", `${name} is global: it has one task on each node`);
  if (mode.kind !== "replicated")
    throw operatorError("mode/precondition", `${name} is a job: scaling it would run it again`);
  const text = params.replicas ?? "";
  const replicas = readReplicas(text);
  const outage = replicas === 0 ? ["Without tasks the service is down: clients get 503."] : [];
  return {
    wording: {
      title: `Scale ${name} from ${mode.replicas} to ${pluralize(replicas, "task")}?`,
      effects: [scaleEffect(mode.replicas, replicas), ...outage],
      verb: `Scale to ${replicas}`,
      isDestructive: replicas === 0,
    },
    fields: { replicas: text },
    input: () =>
      withDocumentChange(service, (document) => ({
        ...document,
        Mode: { Replicated: { Replicas: replicas } },
      })),
  };
}

function scaleEffect(from: number, to: number): string {
  if (to < from) return `${pluralize(from - to, "task")} stop once no router sends them requests.`;
  if (to === from) return "Nothing changes: the service has this size already.";
  return `${pluralize(to - from, "task")} start and take requests once they are healthy.`;
}

function restart(service: ServiceView): ServiceChange {
  const { name, update, forceUpdate } = service.spec;
  const batch = update.parallelism === 0 ? "all at once" : `${update.parallelism} at a time`;
  const order =
    update.order === "start-first"
      ? "each new task runs before the old one stops"
      : "each old task stops before the new one starts";
  return {
    wording: {
      title: `Restart ${name}?`,
      effects: [`Its ${pluralize(service.desiredTasks, "task")} are replaced ${batch}; ${order}.`],
      verb: `Restart ${name}`,
      isDestructive: false,
    },
    fields: {},
    input: () =>
      withDocumentChange(service, (document) => {
        const template = document.TaskTemplate as object | undefined;
        return { ...document, TaskTemplate: { ...template, ForceUpdate: forceUpdate + 1 } };
      }),
  };
}

function rollback(service: ServiceView): ServiceChange {
  const { spec, previous } = service;
  if (previous === null)
    throw operatorError("service/precondition", `${spec.name} has no previous spec to roll back to`);
  const { image } = previous.spec.run;
  const imageEffect =
    image === spec.run.image ? [] : [`The image changes from ${spec.run.image} to ${image}.`];
  return {
    wording: {
      title: `Roll ${spec.name} back?`,
      effects: [
        "The spec from before the last update applies again.",
        ...imageEffect,
        "Tasks that differ from it are replaced according to the rollback policy.",
      ],
      verb: `Roll ${spec.name} back`,
      isDestructive: true,
    },
    fields: {},
    input: () => "rollback",
  };
}

/** The service's document with a change, read like the body of an update request. */
function withDocumentChange(
  service: ServiceView,
  change: (document: Readonly<Record<string, unknown>>) => object,
): ServiceSpecInput {
  return readServiceSpec(change(service.document as Readonly<Record<string, unknown>>));
}

/** The version on the confirmation page: the update fails if the target has changed since. */
export function confirmedVersion(
  { version = "" }: ActionParams,
  { version: current }: { readonly version: number },
): number {
  return /^\d{1,15}$/.test(version) ? Number(version) : current;
}

/**
 * For an operation without a version of its own.
 *
 * @throws MeshError service/precondition, node/precondition if the target changed since the confirmation
 */
export function requireConfirmed(
  params: ActionParams,
  target: { readonly version: number },
  name: string,
): void {
  if (confirmedVersion(params, target) === target.version) return;
  throw operatorError("target/precondition", `${name} has changed in the meantime: look at it again`);
}

/** Removes a node, also one that is up. @throws MeshError node/not-found, target/precondition */
export async function removeNodeAction(
  mesh: MeshApi,
  view: DashboardView,
  ref: string,
  params: ActionParams,
): Promise<OperatorAction> {
  const node = unwrap(await mesh.node(ref));
  const { hostname } = node;
  const tasks = view.tasksOfNode(node.id).filter((task) => isAlive(task)).length;
  const path = nodePath(node, view.nodes);
  const runs =
    tasks === 0
      ? []
      : [`Its ${pluralize(tasks, "task")} run elsewhere instead; requests that they have are lost.`];
  const isUp = node.state === "ready";
  return {
    confirmation: {
      title: `Remove ${hostname}?`,
      effects: [
        ...runs,
        isUp ? "It is up: drain it first to lose no request." : `It is ${node.state}.`,
        "Its agent must join again to come back.",
      ],
      verb: `Remove ${hostname}`,
      action: `${path}/remove`,
      back: pagePaths.nodes,
      cancel: path,
      fields: { version: String(node.version) },
      isDestructive: true,
    },
    run: async (mesh, actor) => {
      requireConfirmed(params, node, hostname);
      unwrapForDocker(await mesh.removeNode(node.id, true, actor));
    },
  };
}

function readAvailability(text: string): Availability {
  if (text === "active" || text === "pause" || text === "drain") return text;
  throw operatorError(
    "availability/invalid",
    `cannot read "${text}" as an availability: use active, pause or drain`,
  );
}

function operatorError(code: `${string}/${"invalid" | "precondition"}`, message: string): MeshError {
  return new MeshError(code, message, { blame: "operator", retry: "never" });
}
