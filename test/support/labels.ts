// Checks a service's labels like the mesh does.

import { checkLabels } from "../../src/domain/labels/labels.ts";

/** `fine`, or the message of the error. */
export function verdict(labels: Readonly<Record<string, string>>): string {
  try {
    checkLabels(labels);
    return "fine";
  } catch (error) {
    return (error as Error).message;
  }
}
