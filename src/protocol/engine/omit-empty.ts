// Go's `omitempty`: the values that its encoder leaves out of an answer.

/** True for "", 0, false, null, and empty lists and maps. */
export function isEmptyValue(value: unknown): boolean {
  if (typeof value === "object" && value !== null) return Object.keys(value).length === 0;
  return value === undefined || value === null || value === "" || value === 0 || value === false;
}

/** An object without its empty values. Not for structs, which Go writes as `{}`. */
export function omitEmpty<T extends object>(source: T): Partial<T> {
  return Object.fromEntries(Object.entries(source).filter(([, value]) => !isEmptyValue(value))) as Partial<T>;
}
