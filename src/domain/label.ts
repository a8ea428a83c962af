// A label: what those who read one share.

import { MeshError } from "./error.ts";

export type Labels = Readonly<Record<string, string>>;

/** The refusal of a label that cannot be read. */
export function invalidLabel(text: string): MeshError {
  return new MeshError("label/invalid", text, { blame: "operator", retry: "never" });
}
