// The names of fields in a body. Docker's daemon is written in Go, whose decoder finds a field by its name in any
// case, and some clients rely on it: docker-py sends `{"replicated":{"Replicas":4}}`.

import type { z } from "zod";

/** The parts of a zod schema that its kind has. */
type SchemaParts = {
  readonly type: string;
  readonly shape?: Readonly<Record<string, z.ZodType>>;
  readonly element?: z.ZodType;
  readonly valueType?: z.ZodType;
  readonly innerType?: z.ZodType;
  readonly in?: z.ZodType;
  readonly options?: readonly z.ZodType[];
};

/**
 * A parsed body with the field names of its schema: a key that names no field exactly is the field of that name
 * in another case. Of two keys for one field the last counts, as in Go. Other keys are kept, and so are those of
 * maps such as Labels, which are the operator's.
 *
 * @param value parsed JSON, of limited depth
 */
export function withFieldNames(schema: z.ZodType, value: unknown): unknown {
  if (typeof value !== "object" || value === null) return value;
  const { type, shape, element, valueType, innerType, options, in: input } = partsOf(schema);
  if (innerType !== undefined) return withFieldNames(innerType, value);
  if (type === "pipe" && input !== undefined) return withFieldNames(input, value);
  if (options !== undefined)
    return options.reduce<unknown>((named, option) => withFieldNames(option, named), value);
  if (Array.isArray(value)) {
    return element === undefined ? value : value.map((item) => withFieldNames(element, item));
  }
  if (shape !== undefined) return withShape(shape, value);
  if (valueType === undefined) return value;
  return Object.fromEntries(
    Object.entries(value).map(([key, item]) => [key, withFieldNames(valueType, item)]),
  );
}

function withShape(shape: Readonly<Record<string, z.ZodType>>, value: object): unknown {
  const byFoldedName = new Map(Object.keys(shape).map((name) => [name.toLowerCase(), name]));
  return Object.fromEntries(
    Object.entries(value).map(([key, item]) => {
      const name = Object.hasOwn(shape, key) ? key : byFoldedName.get(key.toLowerCase());
      const field = name === undefined ? undefined : shape[name];
      return [name ?? key, field === undefined ? item : withFieldNames(field, item)];
    }),
  );
}

function partsOf(schema: z.ZodType): SchemaParts {
  return (schema as unknown as { readonly def: SchemaParts }).def;
}
