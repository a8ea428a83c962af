// A label: what those who read one share.

import { invalidAs } from "../model/error.ts";

export type Labels = Readonly<Record<string, string>>;

/** The refusal of a label that cannot be read. */
export const invalidLabel = invalidAs("label/invalid");

/** Whether a text that a label names a service by can be one's name. */
export function isServiceName(text: string): boolean {
  return /^[a-zA-Z0-9][-_a-zA-Z0-9]{0,62}$/.test(text);
}
