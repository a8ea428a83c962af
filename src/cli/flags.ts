// Builds flags with validated values, and the flags of every verb that talks to a mesh.

import { Argument, type Command, Option } from "commander";
import { printable } from "../domain/model/printable.ts";
import type { Cli } from "./cli.ts";
import { createClient, type MeshClient } from "./client.ts";
import { CliError, usageError } from "./errors.ts";
import { findTarget, type MeshTarget, type TargetFlags } from "./mesh-target.ts";
import { proxyAdvice, useProxy } from "./proxy.ts";

/** Heading of the connection flags in help texts. */
const meshGroup = "Connection:";

export type MeshFlags = TargetFlags & { readonly json?: boolean | undefined };

/**
 * Adds `--json` and the connection flags.
 *
 * @param hostLetter false if `-H` has another meaning for this verb
 */
export function meshFlags(command: Command, { hostLetter = true } = {}): Command {
  return targetFlags(command.option("--json", "format output as JSON"), hostLetter);
}

/** Adds the connection flags. */
export function targetFlags(command: Command, hostLetter = true): Command {
  const flags = [
    new Option(
      `${hostLetter ? "-H, " : ""}--host <url>`,
      "control URL of the mesh (else WAGGLE_URL, else the context)",
    ),
    new Option("--context <name>", "context of the mesh (else WAGGLE_CONTEXT, else the one in use)"),
    new Option("--token-file <file>", "file with the token (else WAGGLE_TOKEN, else the context's)"),
    new Option("--state <dir>", "state folder of `waggle up`, with mesh.json (default: .waggle)"),
  ];
  for (const flag of flags) command.addOption(flag.helpGroup(meshGroup));
  return command;
}

/** The connection flags, given before or after the verb. A flag after the verb takes precedence. */
export function readTargetFlags(command: Command): TargetFlags {
  let root = command;
  while (root.parent !== null) root = root.parent;
  return { ...root.opts<TargetFlags>(), ...command.opts<TargetFlags>() };
}

/** Creates a client of the mesh that the connection flags name. */
export async function connect(command: Command, cli: Cli, timeoutMs?: number): Promise<MeshClient> {
  return connectTo(await findTarget(readTargetFlags(command), cli.env, warnings(cli)), cli, timeoutMs);
}

/** Creates a client of a mesh, through the proxy of the environment if the mesh is on another machine. */
export function connectTo(target: MeshTarget, cli: Cli, timeoutMs?: number): MeshClient {
  const isProxied = useProxy(target.url, cli.env);
  return createClient({ ...target, isProxied, advice: proxyAdvice(target.url, cli.env) }, timeoutMs);
}

/** Prints warnings on standard error. */
export function warnings({ err }: Cli): (text: string) => void {
  return (text) => void err.write(`warning: ${printable(text)}\n`);
}

/** A flag with one value. Errors of `read` are reported as Docker does, with the name of the flag. */
export function valueFlag<T>(flags: string, description: string, read: (text: string) => T): Option {
  return new Option(flags, description).argParser((text) => readFlag(flags, text, read));
}

/** A repeatable flag; the values that `read` returns are collected. */
export function listFlag<T>(
  flags: string,
  description: string,
  read: (text: string) => readonly T[],
): Option {
  return new Option(flags, description).argParser((text, previous: readonly T[] | undefined) => [
    ...(previous ?? []),
    ...readFlag(flags, text, read),
  ]);
}

/** A flag with a fixed set of values, shown by help and completion. */
export function choiceFlag(flags: string, description: string, choices: readonly string[]): Option {
  const read = (text: string) => readChoice(text, choices);
  return new Option(flags, description).choices(choices).argParser((text) => readFlag(flags, text, read));
}

/** An argument with a fixed set of values. @param name `<shell>`, `[role]` */
export function choiceArgument(name: string, description: string, choices: readonly string[]): Argument {
  const argument = new Argument(name, description).choices(choices);
  return argument.argParser((text) => {
    try {
      return readChoice(text, choices);
    } catch (error) {
      if (!(error instanceof CliError)) throw error;
      throw usageError(`invalid argument "${text}" for "${argument.name()}": ${error.message}`);
    }
  });
}

function readChoice(text: string, choices: readonly string[]): string {
  if (choices.includes(text)) return text;
  const [only] = choices;
  throw usageError(choices.length === 1 ? `must be ${only}` : `must be one of ${choices.join(", ")}`);
}

function readFlag<T>(flags: string, text: string, read: (text: string) => T): T {
  try {
    return read(text);
  } catch (error) {
    if (!(error instanceof CliError)) throw error;
    const [name] = flags.split(/ [<[]/);
    throw usageError(`invalid argument "${text}" for "${name}" flag: ${error.message}`, error.hint);
  }
}
