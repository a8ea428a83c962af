// The labels of a service, and the error for a label that cannot be read.

import { invalidAs } from "../model/error.ts";

export type Labels = Readonly<Record<string, string>>;

export const invalidLabel = invalidAs("label/invalid");

/** True if a label's text can be the name of a service. */
export function isServiceName(text: string): boolean {
  return /^[a-zA-Z0-9][-_a-zA-Z0-9]{0,62}$/.test(text);
}
