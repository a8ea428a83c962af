// What an operator may do here: each action reads what is to be changed, says what would happen, and does it.

import { unwrapForDocker } from "../control/errors.ts";
import { MeshError, unwrap } from "../domain/model/error.ts";
import type { Availability } from "../domain/model/node.ts";
import { isAlive } from "../domain/model/task.ts";
import { readServiceSpec } from "../protocol/engine/read-service.ts";
import type { MeshApi, ServiceSpecInput, ServiceView } from "../registry/api.ts";
import type { Confirmation } from "./pages/confirm.tsx";
import { nodePath, servicePath } from "./paths.ts";
import { pluralize } from "./text.ts";
import type { DashboardView } from "./view.ts";

/** An action on one thing, as asked for. */
export type OperatorAction = {
  readonly confirmation: Confirmation;
  /** Does it, if nothing changed meanwhile. @param actor who the events say it was */
  readonly run: (mesh: MeshApi, actor: string) => Promise<unknown>;
};

/** What a form or a link asks for besides the thing itself. */
export type ActionParams = Readonly<Record<string, string>>;

/** @throws MeshError node/not-found, availability/invalid */
export async function nodeAction(
  mesh: MeshApi,
  view: DashboardView,
  ref: string,
  asked: ActionParams,
): Promise<OperatorAction> {
  const node = unwrap(await mesh.node(ref));
  const to = readAvailability(asked.to ?? "");
  const tasks = pluralize(view.tasksOfNode(node.id).filter((task) => isAlive(task)).length, "task");
  const wording = {
    drain: ["Drain", `Its ${tasks} are replaced on other nodes before they stop; no request is lost.`],
    pause: ["Pause", `Its ${tasks} go on; new ones are placed on other nodes.`],
    active: ["Activate", "It takes new tasks again; those that run elsewhere stay where they are."],
  } as const;
  const [verb, effect] = wording[to];
  const back = nodePath(node, view.nodes);
  return {
    confirmation: {
      title: `${verb} ${node.hostname}?`,
      effects: [effect],
      verb: `${verb} ${node.hostname}`,
      action: `${back}/availability`,
      back,
      fields: { to, version: String(node.version) },
      isDestructive: to === "drain",
    },
    run: async (mesh, actor) => {
      const { role, labels } = node;
      unwrapForDocker(
        await mesh.updateNode(
          node.id,
          confirmedVersion(asked, node),
          { availability: to, role, labels },
          actor,
        ),
      );
    },
  };
}

/** @param name `scale`, `restart`, `rollback` @throws MeshError service/not-found, replicas/invalid, service/precondition */
export async function serviceAction(
  mesh: MeshApi,
  ref: string,
  name: "scale" | "restart" | "rollback",
  asked: ActionParams,
): Promise<OperatorAction> {
  const service = unwrap(await mesh.service(ref));
  const wanted = { scale, restart, rollback }[name](service, asked);
  const back = servicePath(service.spec.name);
  const fields = { ...wanted.fields, version: String(service.version) };
  return {
    confirmation: { ...wanted.wording, action: `${back}/${name}`, back, fields },
    run: async (mesh, actor) =>
      unwrapForDocker(
        await mesh.updateService(service.id, confirmedVersion(asked, service), wanted.input(), actor),
      ),
  };
}

type ServiceChange = {
  readonly wording: Pick<Confirmation, "title" | "effects" | "verb" | "isDestructive">;
  readonly fields: Readonly<Record<string, string>>;
  readonly input: () => ServiceSpecInput | "rollback";
};

function scale(service: ServiceView, asked: ActionParams): ServiceChange {
  const { mode, name } = service.spec;
  if (mode.kind !== "replicated")
    throw operatorError("mode/precondition", `${name} is global: it has one task on each node`);
  const replicas = asked.replicas ?? "";
  if (!/^\d{1,5}$/.test(replicas) || Number(replicas) > 10_000) {
    throw operatorError(
      "replicas/invalid",
      `cannot read "${replicas}" as a number of tasks: write 0 to 10000`,
    );
  }
  const to = Number(replicas);
  const fewer = to < mode.replicas;
  const effect = fewer
    ? `${pluralize(mode.replicas - to, "task")} stop, once no request is sent to them any more.`
    : to === mode.replicas
      ? "Nothing changes: it has as many already."
      : `${pluralize(to - mode.replicas, "task")} start, and take requests once they are healthy.`;
  const nobody = to === 0 ? ["Nobody answers for it then: clients get 503."] : [];
  return {
    wording: {
      title: `Scale ${name} from ${mode.replicas} to ${pluralize(to, "task")}?`,
      effects: [effect, ...nobody],
      verb: `Scale to ${to}`,
      isDestructive: to === 0,
    },
    fields: { replicas },
    input: () =>
      withDocumentChange(service, (document) => ({ ...document, Mode: { Replicated: { Replicas: to } } })),
  };
}

function restart(service: ServiceView): ServiceChange {
  const { name, update, forceUpdate } = service.spec;
  const atATime = update.parallelism === 0 ? "all at once" : `${update.parallelism} at a time`;
  const order =
    update.order === "start-first" ? "a new one runs before the old one stops" : "the old one stops first";
  return {
    wording: {
      title: `Restart ${name}?`,
      effects: [`Its ${pluralize(service.desiredTasks, "task")} are replaced ${atATime}; ${order}.`],
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
    throw operatorError("service/precondition", `${spec.name} has no previous spec to go back to`);
  const { image } = previous.spec.run;
  const effect =
    image === spec.run.image
      ? "Its spec is again the one before its last update."
      : `Its spec is again the one before its last update; its image goes from ${spec.run.image} to ${image}.`;
  return {
    wording: {
      title: `Roll ${spec.name} back?`,
      effects: [effect, "Tasks whose run differs are replaced, as its rollback policy says."],
      verb: `Roll ${spec.name} back`,
      isDestructive: true,
    },
    fields: {},
    input: () => "rollback",
  };
}

/** The operator's own document with a change, read as if it had been sent. */
function withDocumentChange(
  service: ServiceView,
  change: (document: Readonly<Record<string, unknown>>) => object,
): ServiceSpecInput {
  return readServiceSpec(change(service.document as Readonly<Record<string, unknown>>));
}

/** The version that was confirmed, so that nothing is done to what is another thing by now. */
function confirmedVersion(
  { version = "" }: ActionParams,
  { version: present }: { readonly version: number },
): number {
  return /^\d{1,15}$/.test(version) ? Number(version) : present;
}

function readAvailability(text: string): Availability {
  if (text === "active" || text === "pause" || text === "drain") return text;
  throw operatorError(
    "availability/invalid",
    `cannot read "${text}" as an availability: active, pause or drain`,
  );
}

function operatorError(code: `${string}/${"invalid" | "precondition"}`, message: string): MeshError {
  return new MeshError(code, message, { blame: "operator", retry: "never" });
}
