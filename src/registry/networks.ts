// The operator's changes of networks: create, remove; and how services refer to them.

import { MeshError } from "../domain/model/error.ts";
import {
  ingressNetwork,
  makeNetwork,
  type Network,
  type NetworkAttachment,
  type NetworkSpec,
  networksOf,
} from "../domain/model/network.ts";
import { resolveRef } from "../domain/model/refs.ts";
import type { World } from "../domain/model/world.ts";
import type { ServiceSpecInput } from "./api.ts";
import type { Draft } from "./draft.ts";

/** Networks of a single engine, which clients ask for by name. */
const engineNetworks = ["host", "bridge", "none"];

/** @throws MeshError network/not-found, network/invalid if several match */
export function findNetwork(world: World, ref: string): Network {
  if (engineNetworks.includes(ref) && ![...world.networks.values()].some(({ name }) => name === ref)) {
    throw new MeshError(
      "network/not-found",
      `network ${ref} not found: a mesh has networks of its own only, which docker network create makes`,
      { blame: "operator", retry: "never" },
    );
  }
  return resolveRef(world.networks.values(), ref, { kind: "network", name: ({ name }) => name });
}

/** Makes the network `ingress` of a mesh that has none. */
export function makeIngressNetwork(draft: Draft): void {
  if ([...draft.world.networks.values()].some(({ ingress }) => ingress)) return;
  const { context, nowMs } = draft;
  draft.put("networks", ingressNetwork({ id: context.newId(), nowMs }));
}

/** @throws MeshError network/conflict and those of makeNetwork */
export function createNetwork(draft: Draft, spec: NetworkSpec, actor: string): Network {
  const { context, nowMs, world } = draft;
  const network = makeNetwork(spec, world.networks.values(), { id: context.newId(), nowMs });
  draft.put("networks", network);
  draft.recordEvent(actor, "network.create", networkSubject(network));
  return network;
}

/** @throws MeshError network/not-found, network/precondition if a service is on it, or for `ingress` */
export function removeNetwork(draft: Draft, ref: string, actor: string): void {
  const { world } = draft;
  const network = findNetwork(world, ref);
  if (network.ingress) {
    throw inUse(`network ${network.id} (ingress) cannot be removed: published ports of the mesh are on it`);
  }
  for (const service of world.services.values()) {
    if (networksOf(service, world.networks).includes(network)) {
      throw inUse(`network ${network.id} is in use by service ${service.id}`);
    }
  }
  draft.remove("networks", network.id);
  draft.recordEvent(actor, "network.remove", networkSubject(network));
}

/**
 * Replaces the names of networks in a service by their ids, as dockerd does, in the spec and in its document.
 *
 * @throws MeshError network/not-found, network/invalid, service/invalid
 */
export function resolveNetworks(world: World, input: ServiceSpecInput): ServiceSpecInput {
  const { networks } = input.spec;
  if (networks === undefined) return input;
  const ids = new Map(networks.map(({ target }) => [target, attachableNetwork(world, target).id]));
  const resolved = networks.map((attachment) => ({
    ...attachment,
    target: ids.get(attachment.target) ?? attachment.target,
  }));
  checkOnce(resolved);
  return {
    ...input,
    spec: { ...input.spec, networks: resolved },
    document: withTargets(input.document, ids),
  };
}

function attachableNetwork(world: World, ref: string): Network {
  const network = findNetwork(world, ref);
  if (!network.ingress) return network;
  throw new MeshError(
    "service/invalid",
    'Service cannot be explicitly attached to the ingress network "ingress"',
    { blame: "operator", retry: "never" },
  );
}

function checkOnce(attachments: readonly NetworkAttachment[]): void {
  if (new Set(attachments.map(({ target }) => target)).size === attachments.length) return;
  throw new MeshError("service/invalid", "a service can be on a network only once: leave one of them out", {
    blame: "operator",
    retry: "never",
  });
}

/** The document with the ids of networks, wherever a client wrote them. */
function withTargets(document: unknown, ids: ReadonlyMap<string, string>): unknown {
  const { TaskTemplate, Networks, ...rest } = document as {
    TaskTemplate?: { Networks?: unknown };
    Networks?: unknown;
  };
  const replaced = (list: unknown): unknown =>
    Array.isArray(list)
      ? list.map((item: { Target?: string }) => ({
          ...item,
          Target: ids.get(item.Target ?? "") ?? item.Target,
        }))
      : list;
  return {
    ...rest,
    ...(TaskTemplate && {
      TaskTemplate: {
        ...TaskTemplate,
        ...(TaskTemplate.Networks != null && { Networks: replaced(TaskTemplate.Networks) }),
      },
    }),
    ...(Networks != null && { Networks: replaced(Networks) }),
  };
}

function networkSubject({ id, name }: Network) {
  return { type: "network", id, name } as const;
}

function inUse(message: string): MeshError {
  return new MeshError("network/precondition", message, { blame: "operator", retry: "never" });
}
