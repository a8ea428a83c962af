// Verbs that take several names or ids: one request for each, and a refused one does not stop the rest.

import type { Cli } from "./cli.ts";
import { CliError, errorText, exitCodes } from "./errors.ts";
import { type Format, printFormatted } from "./format.ts";
import { printJson } from "./json.ts";
import { printLines } from "./output.ts";

/**
 * Runs `work` for each ref in turn. Prints a refusal and continues with the next ref.
 *
 * @returns null if all succeeded, else an error without a message that carries the exit code
 * @throws CliError at once if the mesh is unreachable or refuses the token
 */
export async function forEachRef(
  cli: Cli,
  refs: readonly string[],
  work: (ref: string) => Promise<void>,
): Promise<CliError | null> {
  let hasFailed = false;
  for (const ref of refs) {
    try {
      await work(ref);
    } catch (error) {
      if (!(error instanceof CliError) || error.exitCode !== exitCodes.refused) throw error;
      hasFailed = true;
      if (error.message !== "") cli.err.write(`${errorText(error)}\n`);
    }
  }
  return hasFailed ? new CliError(exitCodes.refused, "") : null;
}

/** Removes each ref. Prints it, or all of them as one object with `--json`. */
export async function removeEach(
  cli: Cli,
  refs: readonly string[],
  { json }: { readonly json?: boolean | undefined },
  remove: (ref: string) => Promise<void>,
): Promise<void> {
  const removed: string[] = [];
  const failure = await forEachRef(cli, refs, async (ref) => {
    await remove(ref);
    removed.push(ref);
    if (!json) cli.out.write(`${ref}\n`);
  });
  if (json) printJson(cli.out, { removed });
  if (failure !== null) throw failure;
}

/** How `inspect` prints. */
export type InspectFlags = {
  readonly format?: Format;
  readonly pretty?: boolean;
  readonly json?: boolean | undefined;
};

/** Fetches each ref and prints the objects: by `--format`, with `--pretty`, else as a JSON array. */
export async function inspectEach<T>(
  cli: Cli,
  refs: readonly string[],
  { format, pretty, json }: InspectFlags,
  fetch: (ref: string) => Promise<T>,
  prettyLines: (object: T) => readonly string[] = () => [],
): Promise<void> {
  const objects: T[] = [];
  const failure = await forEachRef(cli, refs, async (ref) => {
    objects.push(await fetch(ref));
  });
  if (format !== undefined && format.kind !== "pretty") printFormatted(cli.out, format, objects);
  else if ((pretty || format?.kind === "pretty") && !json)
    for (const object of objects) printLines(cli.out, prettyLines(object));
  else printJson(cli.out, objects);
  if (failure !== null) throw failure;
}
