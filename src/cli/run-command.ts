// Runs a command tree: its output, its errors and its exit code.

import { Command, CommanderError } from "commander";
import { MeshError } from "../domain/model/error.ts";
import { versionText } from "../package/program-files.ts";
import type { Cli } from "./cli.ts";
import { dockerHint } from "./docker-words.ts";
import { CliError, errorText, exitCodes, refused } from "./errors.ts";
import { printableSink } from "./output.ts";

/**
 * Runs one command line.
 *
 * @param args without the interpreter and the script
 * @param build makes the command tree
 * @returns the exit code; see errors.ts
 */
export async function runCommand(
  args: readonly string[],
  { out, err, ...rest }: Cli,
  build: (cli: Cli) => Command,
): Promise<number> {
  const cli: Cli = { ...rest, out: printableSink(out), err: printableSink(err) };
  const program = build(cli);
  try {
    if (args.length === 0) program.outputHelp();
    else await program.parseAsync([...args], { from: "user" });
    return exitCodes.ok;
  } catch (error) {
    if (error instanceof CommanderError) return commandLineError(cli, args, error);
    return handleError(cli, error);
  }
}

/** A word that `waggle` does not know: a command, or an option without its value (`--mount=type=bind,…`). */
const unknownWord = /^error: unknown (?:option|command) '([^'\s=]+)/;

/**
 * Commander has printed the first line of its error (see `rootCommand`). Its suggestion follows, or better advice. It
 * also throws after --help and --version.
 */
function commandLineError(cli: Cli, args: readonly string[], { exitCode, message }: CommanderError): number {
  if (exitCode === 0) return exitCodes.ok;
  const [, ...suggestion] = message.split("\n");
  const hint = dockerHint(args, unknownWord.exec(message)?.[1] ?? "");
  for (const line of hint === "" ? suggestion : [hint]) cli.err.write(`${line}\n`);
  return exitCodes.usage;
}

/** A command whose errors are thrown and whose texts go to the sinks. Its subcommands take over both. */
export function rootCommand(name: string, cli: Cli): Command {
  return new Command(name)
    .option("-V, --version", "print the version of this command")
    .on("option:version", () => printVersion(cli))
    .helpOption("-h, --help", "print help")
    .exitOverride()
    .showSuggestionAfterError()
    .configureOutput({
      writeOut: (text) => cli.out.write(text),
      writeErr: (text) => cli.err.write(text),
      outputError: (text, write) => write(firstLine(text).replace(/^error: /, "waggle: ")),
      getOutHelpWidth: () => cli.out.columns ?? 100,
      getErrHelpWidth: () => cli.err.columns ?? 100,
    });
}

function firstLine(text: string): string {
  return text.slice(0, text.indexOf("\n") + 1);
}

/** Not by commander, which would need the version, and with it the commit, at each start. */
function printVersion(cli: Cli): never {
  const text = versionText();
  cli.out.write(`${text}\n`);
  throw new CommanderError(exitCodes.ok, "commander.version", text);
}

function handleError(cli: Cli, error: unknown): number {
  if (error instanceof MeshError) return handleError(cli, refused(error.message));
  if (!(error instanceof CliError)) return handleError(cli, internalError(error, cli.env));
  const text = errorText(error);
  if (text !== "") cli.err.write(`${text}\n`);
  return error.exitCode;
}

/** The error of a fault in the command itself; its stack trace helps those who fix it, and only them. */
function internalError(error: unknown, { WAGGLE_DEBUG: isDebug = "" }: Cli["env"]): CliError {
  const { message, stack = message } = error instanceof Error ? error : new Error(String(error));
  const { code } = error as NodeJS.ErrnoException;
  if (code === "ERR_MODULE_NOT_FOUND")
    return new CliError(
      exitCodes.internal,
      `a package is missing: ${message}`,
      'run "npm ci" in the folder of waggle',
    );
  return new CliError(
    exitCodes.internal,
    `internal error: ${message}`,
    isDebug === "" ? "this is a fault of waggle; with WAGGLE_DEBUG=1 it prints where it happened" : stack,
    error,
  );
}
