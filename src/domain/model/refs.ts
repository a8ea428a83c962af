// A ref: the full id, exact name or id prefix by which an operator names an object.

import { MeshError } from "./error.ts";

/** The kind of an object and its name. */
type RefNaming<T> = {
  readonly kind: "node" | "service" | "task" | "server" | "network" | "secret" | "config";
  readonly name: (item: T) => string;
};

/**
 * Finds the one object of a ref: by full id, then exact name, then unique id prefix, as dockerd does.
 *
 * @throws MeshError `<kind>/not-found`, or `<kind>/invalid` if the ref matches several
 */
export function resolveRef<T extends { readonly id: string }>(
  items: Iterable<T>,
  ref: string,
  naming: RefNaming<T>,
): T {
  const all = [...items];
  const byId = all.filter((item) => item.id === ref);
  const byName = byId.length > 0 ? byId : all.filter((item) => naming.name(item) === ref);
  const matches = byName.length > 0 || ref === "" ? byName : all.filter((item) => item.id.startsWith(ref));
  const first = matches[0];
  if (first === undefined) {
    throw new MeshError(`${naming.kind}/not-found`, `${naming.kind} ${ref} not found`, {
      blame: "operator",
      retry: "never",
    });
  }
  if (matches.length > 1) {
    const text = `${naming.kind} ${ref} is ambiguous (${matches.length} matches found)`;
    throw new MeshError(`${naming.kind}/invalid`, text, { blame: "operator", retry: "never" });
  }
  return first;
}
