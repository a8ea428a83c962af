// `--filter KEY=VALUE` of the lists, as in Docker; the mesh does the filtering.

import type { Option } from "commander";
import { usageError } from "./errors.ts";
import { listFlag } from "./flags.ts";
import { readLabel } from "./values.ts";

type FilterArgument = readonly [key: string, value: string];

/** The parsed `--filter` arguments of a verb. */
export type FilterFlags = { readonly filter?: readonly FilterArgument[] };

/**
 * The `--filter` flag.
 *
 * @param keys that the list can filter by, for the help text
 * @param letter null if it has another meaning for this verb
 */
export function filterFlag(keys: string, letter: "-f" | null = "-f"): Option {
  return listFlag(
    `${letter === null ? "" : "-f, "}--filter <key=value>`,
    `filter output by ${keys}`,
    (text) => [readFilter(text)],
  );
}

/** Values by key; the mesh ORs the values of one key. */
export function groupFilters({ filter = [] }: FilterFlags): Record<string, string[]> {
  const groups: Record<string, string[]> = {};
  for (const [key, value] of filter) groups[key] = [...(groups[key] ?? []), value];
  return groups;
}

function readFilter(text: string): FilterArgument {
  if (!text.includes("=")) throw usageError("must be KEY=VALUE, for example name=my-web");
  return readLabel(text);
}
