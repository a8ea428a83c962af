// Writes a secret or config as the Engine API's Secret or Config.

import type { Dependency } from "../../domain/model/dependency.ts";
import { timeText } from "./units.ts";

/** @param dependency `data` is base64, and absent for a secret */
export function writeDependency(dependency: Dependency & { readonly data?: string }) {
  const { id, name, labels, version, createdAtMs, updatedAtMs, data } = dependency;
  return {
    ID: id,
    Version: { Index: version },
    CreatedAt: timeText(createdAtMs),
    UpdatedAt: timeText(updatedAtMs),
    Spec: { Name: name, Labels: labels, ...(data !== undefined && { Data: data }) },
  };
}
