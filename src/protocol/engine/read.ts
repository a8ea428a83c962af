// Reads JSON by a schema. The error names the field, the value that was read, and what is expected.

import type { z } from "zod";
import { MeshError } from "../../domain/model/error.ts";
import { withFieldNames } from "./field-names.ts";

/** Longest quotation of a refused value, characters. */
const maxQuotedLength = 60;

/**
 * Reads a value by its schema, whose field names it may have in any case.
 *
 * @param valueName for an error about the whole value: `the service spec`
 * @throws MeshError body/invalid about the first field that cannot be read
 */
export function readAs<T>(schema: z.ZodType<T>, json: unknown, valueName: string): T {
  const value = withFieldNames(schema, json);
  const parsed = schema.safeParse(value);
  if (parsed.success) return parsed.data;
  const issue = parsed.error.issues[0];
  const path = issue?.path ?? [];
  const field = path.length === 0 ? valueName : pathText(path);
  const [expected = ""] = (issue?.message ?? "").replace(/^Invalid input: /, "").split(", received ");
  throw invalidBody(`cannot read ${field}: ${expected}, read ${quoteValue(valueAt(value, path))}`);
}

export function invalidBody(message: string): MeshError {
  return new MeshError("body/invalid", message, { blame: "operator", retry: "never" });
}

/** A value as errors quote it. */
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
