// The services that a service's labels name: what is wrong if they cannot do what the label asks for. A label
// may name a service that is created later, so this is a warning and no refusal.

import { optionsOf } from "../domain/labels/balance-labels.ts";
import { hostsOf } from "../domain/labels/labels.ts";
import { pathsOf } from "../domain/labels/path-labels.ts";
import type { MeshApi, ServiceView } from "../registry/api.ts";

type Published = Pick<ServiceView, "ports"> & { readonly spec: Pick<ServiceView["spec"], "name" | "labels"> };

/** Services by their names. */
export type NamedServices = ReadonlyMap<string, Published>;

export function byName(services: readonly Published[]): NamedServices {
  return new Map(services.map((service) => [service.spec.name, service]));
}

/** The services of the mesh that a service's labels name: no others are read. */
export async function referencedServices(
  mesh: Pick<MeshApi, "service">,
  { spec }: Published,
): Promise<NamedServices> {
  const names = new Set(referencesOf(spec.labels).map(({ named }) => named));
  const found = await Promise.all([...names].map((name) => mesh.service(name)));
  // A name that is the beginning of an id finds that service, which is under its own name here.
  return byName(found.flatMap((one) => (one.ok ? [one.value] : [])));
}

/**
 * One sentence for each label of a service that has no effect, because of the service that it names or because
 * of how the service itself is published.
 *
 * @param services at least those that its labels name
 */
export function referenceWarnings({ spec, ports }: Published, services: NamedServices): string[] {
  const { name, labels } = spec;
  const references = referencesOf(labels);
  if (references.length === 0) return [];
  if (ports.length === 0) {
    const words = [...new Set(references.map(({ label }) => `label ${label}`))].join(" and ");
    return [`${words} has no effect: ${name} is not published`];
  }
  return references.flatMap(({ label, named }) => {
    const why = noEffectReason(label, named, name, services.get(named));
    return why === null ? [] : [`label ${label}=${named} has no effect: ${why}`];
  });
}

type ServiceReference = { readonly label: "waggle.canary" | "waggle.at"; readonly named: string };

function referencesOf(labels: Published["spec"]["labels"]): readonly ServiceReference[] {
  const canary = optionsOf(labels)?.canary?.service;
  const at = pathsOf(labels, hostsOf(labels))?.at ?? [];
  return [
    ...(canary === undefined ? [] : [{ label: "waggle.canary", named: canary } as const]),
    ...at.map((named) => ({ label: "waggle.at", named }) as const),
  ];
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
