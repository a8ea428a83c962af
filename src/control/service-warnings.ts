// The warnings about a service: its mode, names on its nodes, and labels without an effect. A response to
// a create or update has them; `docker stack deploy` drops them there, so that tasks and the status have them too.

import { isBalancer, type MeshNode } from "../domain/model/node.ts";
import type { MeshApi, ServiceView } from "../registry/api.ts";
import { protocolWarnings, reachWarnings } from "./mode-warnings.ts";
import { type NamedServices, referenceWarnings } from "./service-references.ts";

/** The label that `docker stack deploy` sets on each service. */
const stackLabel = "com.docker.stack.namespace";

/** True for a service that `docker stack deploy` created. */
export function isOfStack({ spec }: Pick<ServiceView, "spec">): boolean {
  return Object.hasOwn(spec.labels, stackLabel);
}

/** The mesh that a service runs in. */
export type WarningContext = {
  readonly isOnCloudflare: boolean;
  readonly nodes: readonly Pick<MeshNode, "hostname" | "runtime" | "kind">[];
};

/** The mesh as far as the warnings of these services need it. */
export async function warningContext(
  mesh: Pick<MeshApi, "nodes">,
  {
    isOnCloudflare,
    services,
  }: { readonly isOnCloudflare: boolean; readonly services: readonly Pick<ServiceView, "spec">[] },
): Promise<WarningContext> {
  const needsNodes = services.some(({ spec }) => (spec.networks ?? []).length > 0);
  return { isOnCloudflare, nodes: needsNodes ? await mesh.nodes() : [] };
}

/** Warnings that follow from the service and the nodes of the mesh. */
export function ownWarnings(service: Pick<ServiceView, "spec">, context: WarningContext): string[] {
  return [...protocolWarnings(service.spec), ...differences(service, context)];
}

/** What the mesh does not do for the service, and no change of the service alters. */
export function differences(
  { spec }: Pick<ServiceView, "spec">,
  { isOnCloudflare, nodes }: WarningContext,
): string[] {
  return [...reachWarnings(spec, isOnCloudflare), ...networkWarnings(spec, nodes)];
}

/** Processes cannot resolve the names of services. @see docs/networks.md */
function networkWarnings({ networks = [] }: ServiceView["spec"], nodes: WarningContext["nodes"]): string[] {
  const without = nodes.filter((node) => node.runtime === "process" && !isBalancer(node));
  if (networks.length === 0 || without.length === 0) return [];
  const [first] = without;
  const where = without.length === 1 ? `node ${first?.hostname}` : `${without.length} nodes`;
  return [
    `Networks: tasks on ${where} without Docker are processes, which cannot resolve names of services; reach others from there by published ports`,
  ];
}

/**
 * The warnings of a service of a stack, as the error of its running tasks: `docker stack ps` prints that.
 * Empty without a warning, and for other services, whose operator has read them.
 *
 * @param services at least those that its labels name
 */
export function stackTaskError(
  service: ServiceView,
  services: NamedServices,
  context: WarningContext,
): string {
  if (!isOfStack(service)) return "";
  const warnings = [...ownWarnings(service, context), ...referenceWarnings(service, services)];
  return warnings.length === 0 ? "" : `warning: ${warnings.join("; ")}`;
}
