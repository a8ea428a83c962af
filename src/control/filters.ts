// The Engine API's `filters` parameter. Values of one key are alternatives; all keys must match.

import { badRequest } from "./errors.ts";

/** The values of each key in the query; never an empty list. */
export type Filters<Key extends string> = ReadonlyMap<Key, readonly string[]>;

/**
 * Reads `{"key":{"value":true}}`, as the Docker CLI writes it, or `{"key":["value"]}`, as dockerd takes it
 * too.
 *
 * @throws MeshError request/invalid, with dockerd's message for an unknown key
 */
export function readFilters<Key extends string>(
  text: string | undefined,
  known: readonly Key[],
): Filters<Key> {
  const filters = new Map<Key, readonly string[]>();
  if (text === undefined || text === "") return filters;
  for (const [name, value] of Object.entries(parse(text))) {
    const key = known.find((candidate) => candidate === name);
    if (key === undefined) throw badRequest(`Invalid filter '${name}'`);
    const values = valuesOf(name, value);
    if (values.length > 0) filters.set(key, values);
  }
  return filters;
}

/** True if the query does not have the key, or one of its values passes the test. */
export function matchesFilter<Key extends string>(
  filters: Filters<Key>,
  key: Key,
  test: (value: string) => boolean,
): boolean {
  return filters.get(key)?.some(test) ?? true;
}

/** Returns a test for `key` or `key=value`. */
export function labelTest(labels: Readonly<Record<string, string>>): (filter: string) => boolean {
  return (filter) => {
    const at = filter.indexOf("=");
    const key = at < 0 ? filter : filter.slice(0, at);
    return Object.hasOwn(labels, key) && (at < 0 || labels[key] === filter.slice(at + 1));
  };
}

function parse(text: string): object {
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch (error) {
    throw badRequest(`cannot read filters: ${(error as SyntaxError).message}`);
  }
  if (typeof value === "object" && value !== null && !Array.isArray(value)) return value;
  throw badRequest('cannot read filters: write them as {"name":{"my-web":true}}');
}

function valuesOf(name: string, value: unknown): readonly string[] {
  if (Array.isArray(value) && value.every((item) => typeof item === "string")) return value;
  // dockerd ignores the flags: `{"value":false}` counts too.
  if (typeof value === "object" && value !== null && !Array.isArray(value)) return Object.keys(value);
  throw badRequest(`cannot read filter '${name}': write it as {"${name}":{"VALUE":true}}`);
}
