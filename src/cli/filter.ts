// `--filter KEY=VALUE`, as Docker's lists take it; the mesh does the filtering.

import { usageError } from "./errors.ts";
import { readLabel } from "./values.ts";

type FilterArgument = readonly [key: string, value: string];

/** Reads one `--filter` argument. */
export function readFilter(text: string): FilterArgument {
  if (!text.includes("=")) throw usageError("must be KEY=VALUE, for example name=my-web");
  return readLabel(text);
}

/** Values by key; several of one key are ORed by the mesh. */
export function groupFilters(given: readonly FilterArgument[] = []): Record<string, string[]> {
  const set: Record<string, string[]> = {};
  for (const [key, value] of given) set[key] = [...(set[key] ?? []), value];
  return set;
}
