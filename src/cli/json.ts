// Reads and prints JSON.

import { printableJson } from "../domain/model/printable.ts";
import type { TextSink } from "./cli.ts";

/** The value of a JSON text; null if the text is not JSON. */
export function parseJson(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return null;
  }
}

/** Prints a value as indented JSON, for programs. */
export function printJson(out: TextSink, value: unknown): void {
  out.write(`${printableJson(JSON.stringify(value, null, 2))}\n`);
}
