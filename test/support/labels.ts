// What the mesh says to a service's labels.

import { checkLabels } from "../../src/domain/labels/labels.ts";

/** `fine`, or the refusal's message. */
export function verdict(labels: Readonly<Record<string, string>>): string {
  try {
    checkLabels(labels);
    return "fine";
  } catch (error) {
    return (error as Error).message;
  }
}
