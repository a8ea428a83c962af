// The confirmation of what cannot be undone: the mesh's name, typed or given.

import { readLine } from "./ask.ts";
import type { Cli } from "./cli.ts";
import { refused, usageError } from "./errors.ts";

/** The options of a command that asks for the name. */
export type NameFlags = { readonly name?: string; readonly yes?: boolean };

export type NameConfirmation = {
  /** The mesh's name. */
  readonly name: string;
  /** What the command does to the mesh: `delete`. */
  readonly verb: string;
  /** What is true if it does not: `nothing was deleted`. */
  readonly unchanged: string;
  /** What else works without a terminal, after the flags; may be empty. */
  readonly otherwise: string;
};

/** @throws CliError if the name is missing, or another one is typed: nothing may be changed then */
export async function confirmName(
  cli: Cli,
  { name: given, yes = false }: NameFlags,
  { name, verb, unchanged, otherwise }: NameConfirmation,
): Promise<void> {
  if (yes) {
    if (given === undefined)
      throw usageError("--yes needs the mesh's name as confirmation", `give --name ${name}`);
    return;
  }
  if (cli.keys === undefined)
    throw usageError("there is no terminal to confirm on", `give --yes --name ${name}${otherwise}`);
  const answer = (await readLine(cli, `Type the mesh's name to ${verb} it (${name}): `)).trim();
  if (answer !== name) throw refused(`${unchanged}: that is not the mesh's name`);
}
