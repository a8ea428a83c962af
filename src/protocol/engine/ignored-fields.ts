// Fields of a service spec that the mesh ignores. They become warnings, so that scripts written for a Swarm
// run.

/** The path of each ignored field in a service spec, and what applies instead. */
const ignoredFields: readonly (readonly [path: string, note: string])[] = [
  ["TaskTemplate.Networks", "tasks are reached through the mesh, not over a network of their own"],
  ["Networks", "tasks are reached through the mesh, not over a network of their own"],
  ["TaskTemplate.ContainerSpec.Mounts", "tasks see their node's own files"],
  ["TaskTemplate.ContainerSpec.Secrets", "give them to the image on each node"],
  ["TaskTemplate.ContainerSpec.Configs", "give them to the image on each node"],
  [
    "TaskTemplate.ContainerSpec.Healthcheck",
    "label waggle.probe=tcp or waggle.probe=http:/path says how tasks are checked",
  ],
  ["TaskTemplate.ContainerSpec.User", "tasks run as their node's agent does"],
  ["TaskTemplate.ContainerSpec.Privileges", "tasks run as their node's agent does"],
  ["TaskTemplate.ContainerSpec.CapabilityAdd", "tasks run as their node's agent does"],
  ["TaskTemplate.ContainerSpec.CapabilityDrop", "tasks run as their node's agent does"],
  ["TaskTemplate.ContainerSpec.ReadOnly", "tasks see their node's own files"],
  ["TaskTemplate.ContainerSpec.Hostname", "tasks have their node's name"],
  ["TaskTemplate.ContainerSpec.Hosts", "tasks resolve names as their node does"],
  ["TaskTemplate.ContainerSpec.DNSConfig", "tasks resolve names as their node does"],
  ["TaskTemplate.ContainerSpec.Sysctls", "tasks run under their node's settings"],
  ["TaskTemplate.ContainerSpec.Ulimits", "tasks run under their node's settings"],
  ["TaskTemplate.ContainerSpec.TTY", "tasks have no terminal"],
  ["TaskTemplate.Resources.Limits", "tasks are placed by reservations and not limited"],
  ["TaskTemplate.Resources.Reservations.GenericResources", "only CPU and memory are reserved"],
  ["TaskTemplate.Placement.Preferences", "tasks are spread over all nodes that fit"],
  ["TaskTemplate.Placement.Platforms", "use constraints on node.platform.os and node.platform.arch"],
  ["TaskTemplate.LogDriver", "each node keeps its tasks' logs in files"],
];

/** One sentence for each ignored field that is set. Empty values count as absent. */
export function ignoredFieldWarnings(document: unknown): string[] {
  const found = ignoredFields.filter(([path]) => isSet(valueAtPath(document, path)));
  return found.map(([path, note]) => `${path} is ignored: ${note}`);
}

function valueAtPath(value: unknown, path: string): unknown {
  return path
    .split(".")
    .reduce<unknown>((part, key) => (part as Record<string, unknown> | null | undefined)?.[key], value);
}

/** Go writes empty values of every kind, and a health check of `NONE` means no health check. */
function isSet(value: unknown): boolean {
  if (typeof value !== "object" || value === null) return Boolean(value) && value !== "NONE";
  return Object.values(value).some(isSet);
}
