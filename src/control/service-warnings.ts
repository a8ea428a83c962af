// The warnings about a service: fields that the mesh ignores, its mode, and labels without an effect. A response to
// a create or update has them; `docker stack deploy` drops them there, so that tasks and the status have them too.

import { ignoredFieldWarnings } from "../protocol/engine/ignored-fields.ts";
import type { ServiceView } from "../registry/api.ts";
import { modeWarnings } from "./mode-warnings.ts";
import { type NamedServices, referenceWarnings } from "./service-references.ts";

/** The label that `docker stack deploy` sets on each service. */
const stackLabel = "com.docker.stack.namespace";

/** True for a service that `docker stack deploy` created. */
export function isOfStack({ spec }: Pick<ServiceView, "spec">): boolean {
  return Object.hasOwn(spec.labels, stackLabel);
}

/** Warnings that follow from the service alone. */
export function ownWarnings(
  { document, spec }: Pick<ServiceView, "document" | "spec">,
  isOnCloudflare: boolean,
): string[] {
  return [...ignoredFieldWarnings(document), ...modeWarnings(spec, isOnCloudflare), ...networkWarnings(spec)];
}

/** Names of services lead to containers of one daemon only. @see docs/networks.md */
function networkWarnings({ networks = [] }: ServiceView["spec"]): string[] {
  if (networks.length === 0) return [];
  return [
    "Networks: names of services lead to containers of the same node only; reach tasks on other nodes by their published ports",
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
  isOnCloudflare: boolean,
): string {
  if (!isOfStack(service)) return "";
  const warnings = [...ownWarnings(service, isOnCloudflare), ...referenceWarnings(service, services)];
  return warnings.length === 0 ? "" : `warning: ${warnings.join("; ")}`;
}
