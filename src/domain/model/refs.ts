// A ref: the full id, exact name or id prefix by which an operator names an object.

import { MeshError } from "./error.ts";

/** The kind of an object and its name. */
export type RefNaming<T> = {
  readonly kind: "node" | "service" | "task" | "server";
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
  const exact = all.filter((item) => item.id === ref);
  const named = exact.length > 0 ? exact : all.filter((item) => naming.name(item) === ref);
  const found = named.length > 0 || ref === "" ? named : all.filter((item) => item.id.startsWith(ref));
  const only = found[0];
  if (only === undefined) {
    throw new MeshError(`${naming.kind}/not-found`, `${naming.kind} ${ref} not found`, {
      blame: "operator",
      retry: "never",
    });
  }
  if (found.length > 1) {
    const text = `${naming.kind} ${ref} is ambiguous (${found.length} matches found)`;
    throw new MeshError(`${naming.kind}/invalid`, text, { blame: "operator", retry: "never" });
  }
  return only;
}
