// The services that a service's labels name: what is wrong if they cannot do what the label asks for. A label
// may name a service that is created later, so this is a warning and no refusal.

import { optionsOf } from "../domain/labels/balance-labels.ts";
import { hostsOf } from "../domain/labels/labels.ts";
import { pathsOf } from "../domain/labels/path-labels.ts";
import type { ServiceView } from "../registry/api.ts";

type Published = Pick<ServiceView, "ports"> & { readonly spec: Pick<ServiceView["spec"], "name" | "labels"> };

/**
 * One sentence for each label of a service that has no effect, because of the service that it names or because
 * of how the service itself is published.
 *
 * @param services all services of the mesh
 */
export function referenceWarnings({ spec, ports }: Published, services: readonly Published[]): string[] {
  const { name, labels } = spec;
  const canary = optionsOf(labels)?.canary?.service;
  const at = pathsOf(labels, hostsOf(labels))?.at ?? [];
  const labelled = [
    ...(canary === undefined ? [] : [["waggle.canary", canary] as const]),
    ...at.map((owner) => ["waggle.at", owner] as const),
  ];
  if (labelled.length === 0) return [];
  if (ports.length === 0) {
    const words = [...new Set(labelled.map(([label]) => `label ${label}`))].join(" and ");
    return [`${words} has no effect: ${name} is not published`];
  }
  const byName = new Map(services.map((service) => [service.spec.name, service]));
  return labelled.flatMap(([label, named]) => {
    const why = noEffectReason(label, named, name, byName.get(named));
    return why === null ? [] : [`label ${label}=${named} has no effect: ${why}`];
  });
}

function noEffectReason(
  label: string,
  named: string,
  own: string,
  service: Published | undefined,
): string | null {
  if (named === own) return label === "waggle.canary" ? "a service is not its own canary" : null;
  if (service === undefined) return `this mesh has no service ${named}`;
  return service.ports.length === 0 ? `${named} is not published` : null;
}
