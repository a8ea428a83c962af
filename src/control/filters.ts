// Filters: the Engine API's `filters` parameter. Values of one key are alternatives, keys must all hold.

import { badRequest } from "./errors.ts";

/** The values of each key that was given; never an empty list. */
export type Filters<Key extends string> = ReadonlyMap<Key, readonly string[]>;

/**
 * Reads `{"key":{"value":true}}`, as the Docker CLI writes it, or `{"key":["value"]}`, as dockerd takes it too.
 *
 * @throws MeshError request/invalid; for an unknown key in dockerd's words
 */
export function readFilters<Key extends string>(
  text: string | undefined,
  known: readonly Key[],
): Filters<Key> {
  const filters = new Map<Key, readonly string[]>();
  if (text === undefined || text === "") return filters;
  for (const [name, given] of Object.entries(parse(text))) {
    const key = known.find((one) => one === name);
    if (key === undefined) throw badRequest(`Invalid filter '${name}'`);
    const values = valuesOf(name, given);
    if (values.length > 0) filters.set(key, values);
  }
  return filters;
}

/** True when the key was not given, or one of its values passes. */
export function matchesFilter<Key extends string>(
  filters: Filters<Key>,
  key: Key,
  test: (value: string) => boolean,
): boolean {
  return filters.get(key)?.some(test) ?? true;
}

/** A test of labels: `key`, or `key=value`. */
export function labelTest(labels: Readonly<Record<string, string>>): (wanted: string) => boolean {
  return (wanted) => {
    const at = wanted.indexOf("=");
    const key = at < 0 ? wanted : wanted.slice(0, at);
    return Object.hasOwn(labels, key) && (at < 0 || labels[key] === wanted.slice(at + 1));
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

function valuesOf(name: string, given: unknown): readonly string[] {
  if (Array.isArray(given) && given.every((value) => typeof value === "string")) return given;
  // A value said to be false counts all the same; that is dockerd's rule.
  if (typeof given === "object" && given !== null && !Array.isArray(given)) return Object.keys(given);
  throw badRequest(`cannot read filter '${name}': write it as {"${name}":{"VALUE":true}}`);
}
