// Fields of a service spec that the mesh ignores on every node. They become warnings, so that scripts written for
// a Swarm run. A field that only nodes with Docker honour is not one of them: other nodes reject its tasks.

/** The path of each ignored field in a service spec, and what applies instead. */
const ignoredFields: readonly (readonly [path: string, note: string])[] = [
  ["TaskTemplate.Placement.Platforms", "use constraints on node.platform.os and node.platform.arch"],
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

/** Go writes empty values of every kind. */
function isSet(value: unknown): boolean {
  if (typeof value !== "object" || value === null) return Boolean(value);
  return Object.values(value).some(isSet);
}
