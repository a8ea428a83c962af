import type { ServiceSpec } from "./service.ts";

/** Changes exactly when running tasks no longer match the spec. */
export function runHash(_spec: ServiceSpec): string {
  throw new Error("not built yet");
}
