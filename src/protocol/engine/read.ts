// Reading JSON by a schema, with an error that names the field, what was read there and what would do.

import type { z } from "zod";
import { MeshError } from "../../domain/model/error.ts";

/** More of a refused value would drown the sentence it stands in. */
const maxQuotedLength = 60;

/**
 * The value as its schema has it.
 *
 * @param whole what the value is, for an error about all of it: `service spec`
 * @throws MeshError body/invalid about the first field that cannot be read
 */
export function readAs<T>(schema: z.ZodType<T>, value: unknown, whole: string): T {
  const read = schema.safeParse(value);
  if (read.success) return read.data;
  const issue = read.error.issues[0];
  const path = issue?.path ?? [];
  const field = path.length === 0 ? whole : pathText(path);
  const expected = (issue?.message ?? "").replace(/^Invalid input: /, "").replace(/, received .*$/, "");
  throw invalidBody(`cannot read ${field}: ${expected}, read ${quoteValue(valueAt(value, path))}`);
}

/** The refusal of a value that cannot be read. */
export function invalidBody(message: string): MeshError {
  return new MeshError("body/invalid", message, { blame: "operator", retry: "never" });
}

/** A value as it is quoted in an error. */
export function quoteValue(value: unknown): string {
  if (value === undefined) return "nothing";
  const text = JSON.stringify(value);
  return text.length > maxQuotedLength ? `${text.slice(0, maxQuotedLength)}…` : text;
}

/** `EndpointSpec.Ports[0].TargetPort`. */
function pathText(path: readonly PropertyKey[]): string {
  return path
    .map((key, at) => (typeof key === "number" ? `[${key}]` : `${at > 0 ? "." : ""}${String(key)}`))
    .join("");
}

function valueAt(value: unknown, path: readonly PropertyKey[]): unknown {
  return path.reduce<unknown>((at, key) => (at as Record<PropertyKey, unknown> | null)?.[key], value);
}
