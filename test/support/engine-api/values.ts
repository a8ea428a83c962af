// The kinds of values in answers of the Engine API, as Go's encoder writes them.
//
// The schemas of this folder are of API version 1.41, which a dockerd 20.10.24 proves, and of what later versions up
// to 1.51 add and leave out, after moby's api/types and api/docs/CHANGELOG.md of August 2026. They are strict: an
// unknown key, a missing key, an empty value that Go leaves out, and null in place of an empty list are faults.

import { z } from "zod";

/** The minor part of an API version: 41 for 1.41. */
export type ApiMinor = number;

/** RFC 3339 with up to nine digits of a second, as Go's RFC3339Nano. */
export const time = z
  .string()
  .regex(/^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(?:\.\d{1,9})?(?:Z|[+-]\d\d:\d\d)$/, "expected a time of RFC 3339");
/** The id of a node, service, task, network of a Swarm, secret or config. */
export const swarmId = z.string().regex(/^[0-9a-z]{25}$/, "expected 25 characters of 0-9 and a-z");
/** The id of a container or of a network of one engine. */
export const engineId = z.string().regex(/^[0-9a-f]{64}$/, "expected 64 hexadecimal digits");
/** A number of units, bytes or nanoseconds. */
export const count = z.int().min(0);
/** Bytes as Go writes them. */
export const base64 = z.string().regex(/^[\w+/]*={0,2}$/, "expected base64");
export const texts = z.array(z.string());
export const textMap = z.record(z.string(), z.string());
/** A Go struct without fields. */
export const emptyObject = z.strictObject({});

/** A field with Go's `omitempty`: it is absent if it would be "", 0, false, or an empty list or map. */
export function omitempty<T extends z.ZodType>(schema: T) {
  return schema.refine((value) => !isEmpty(value), { message: "Go leaves out an empty value" }).optional();
}

/** A pointer to a struct with `omitempty`: it is absent if it is nil; a struct without values is `{}`. */
export function pointer<T extends z.ZodType>(schema: T) {
  return schema.optional();
}

/** A field that answers have from this version on, and only then. */
export function since<T extends z.ZodType>(first: ApiMinor, minor: ApiMinor, schema: T) {
  return minor >= first ? schema : z.undefined().optional();
}

/** A field that answers have before this version, and only then. */
export function before<T extends z.ZodType>(end: ApiMinor, minor: ApiMinor, schema: T) {
  return minor < end ? schema : z.undefined().optional();
}

function isEmpty(value: unknown): boolean {
  if (typeof value === "object" && value !== null) return Object.keys(value).length === 0;
  return value === "" || value === 0 || value === false;
}

/** Version and times of an object that a Swarm stores. */
export const meta = {
  Version: z.strictObject({ Index: omitempty(count) }),
  CreatedAt: time,
  UpdatedAt: time,
};

export const driver = z.strictObject({ Name: omitempty(z.string()), Options: omitempty(textMap) });
