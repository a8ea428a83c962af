import type { ServiceSpec } from "./service.ts";

/** Throws a MeshError of kind `invalid` when the mesh cannot run this spec. */
export function validateSpec(_spec: ServiceSpec): void {
  throw new Error("not built yet");
}
