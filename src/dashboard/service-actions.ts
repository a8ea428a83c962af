// The actions that create, change and remove a service, each with the confirmation of what it changes.

import { unwrapForDocker } from "../control/errors.ts";
import { unwrap } from "../domain/model/error.ts";
import { changeText, specChanges } from "../domain/model/spec-changes.ts";
import { readServiceSpec } from "../protocol/engine/read-service.ts";
import type { MeshApi } from "../registry/api.ts";
import { type ActionParams, confirmedVersion, type OperatorAction, requireConfirmed } from "./actions.ts";
import { pagePaths, servicePath } from "./paths.ts";
import { formFieldsOf, type ServiceFormFields, withFormFields } from "./service-form.ts";
import { pluralize } from "./text.ts";

/** @throws MeshError if a field cannot be read, or the mesh refuses the spec */
export function createServiceAction(params: ActionParams): OperatorAction {
  const name = (params.name ?? "").trim();
  const fields = fieldsOf(params);
  const input = readServiceSpec(withFormFields({ Name: name, Labels: {} }, fields));
  const { spec } = input;
  const size = spec.mode.kind === "replicated" ? spec.mode.replicas : 1;
  const ports = spec.ports.map(({ published, target }) => `${published ?? "a free port"} → ${target}`);
  return {
    confirmation: {
      title: `Create ${spec.name}?`,
      effects: [
        `${pluralize(size, "task")} of ${spec.run.image} start.`,
        ports.length === 0 ? "It publishes no port." : `It publishes ${ports.join(", ")}.`,
      ],
      verb: `Create ${spec.name}`,
      action: pagePaths.createService,
      back: servicePath(spec.name),
      cancel: pagePaths.services,
      fields: { name, ...fields },
      isDestructive: false,
    },
    run: async (mesh, actor) => unwrapForDocker(await mesh.createService(input, actor)),
  };
}

/** @throws MeshError service/not-found, or if a field cannot be read */
export async function updateServiceAction(
  mesh: MeshApi,
  ref: string,
  params: ActionParams,
): Promise<OperatorAction> {
  const service = unwrap(await mesh.service(ref));
  const { name, update } = service.spec;
  const fields = fieldsOf({ ...formFieldsOf(service.spec), ...params });
  const input = readServiceSpec(
    withFormFields(service.document as Readonly<Record<string, unknown>>, fields),
  );
  const changes = specChanges(service.spec, input.spec);
  const batch = update.parallelism === 0 ? "all at once" : `${update.parallelism} at a time`;
  const effects =
    changes.length === 0
      ? ["Nothing changes."]
      : [...changes.map(changeText), `Tasks that differ from it are replaced ${batch}.`];
  const back = servicePath(name);
  return {
    confirmation: {
      title: `Update ${name}?`,
      effects,
      verb: `Update ${name}`,
      action: `${back}/update`,
      back,
      fields: { ...fields, version: String(service.version) },
      isDestructive: false,
    },
    run: async (mesh, actor) =>
      unwrapForDocker(await mesh.updateService(service.id, confirmedVersion(params, service), input, actor)),
  };
}

/** @throws MeshError service/not-found, service/precondition if it changed since the confirmation */
export async function removeServiceAction(
  mesh: MeshApi,
  ref: string,
  params: ActionParams,
): Promise<OperatorAction> {
  const service = unwrap(await mesh.service(ref));
  const { name } = service.spec;
  const servers = unwrap(await mesh.servers(service.id)).length;
  const ports = service.ports.map(({ published }) => published);
  return {
    confirmation: {
      title: `Remove ${name}?`,
      effects: [
        `Its ${pluralize(service.desiredTasks, "task")} stop once no router sends them requests.`,
        ...(servers > 0 ? [`Its ${pluralize(servers, "static server")} are forgotten.`] : []),
        ...(ports.length > 0 ? [`Nothing serves port ${ports.join(", ")} any more.`] : []),
        "This cannot be undone.",
      ],
      verb: `Remove ${name}`,
      action: `${servicePath(name)}/remove`,
      back: pagePaths.services,
      cancel: servicePath(name),
      fields: { version: String(service.version) },
      isDestructive: true,
    },
    run: async (mesh, actor) => {
      requireConfirmed(params, service, name);
      unwrapForDocker(await mesh.removeService(service.id, actor));
    },
  };
}

function fieldsOf({ image = "", replicas = "", env = "", ports = "" }: ActionParams): ServiceFormFields {
  return { image, replicas, env, ports };
}
