// The error that ends a command: its message, its hint and the exit code.

import { printable } from "../domain/model/printable.ts";

/** Exit codes, also printed by `waggle --help`. */
export const exitCodes = {
  ok: 0,
  /** The mesh refused the request, or a check failed. */
  refused: 1,
  /** The command line is invalid. */
  usage: 2,
  /** No mesh responds. */
  unreachable: 3,
  /** The token is missing, wrong, or not permitted to do this. */
  token: 4,
  /** A fault of the command itself; EX_SOFTWARE of sysexits. */
  internal: 70,
  interrupted: 130,
} as const;

/** Ends the command. An empty message prints nothing, for errors that have been printed before. */
export class CliError extends Error {
  override readonly name = "CliError";
  readonly exitCode: number;
  /** What would work; printed on the second line. */
  readonly hint: string;

  constructor(exitCode: number, message: string, hint = "", cause?: unknown) {
    super(message, { cause });
    this.exitCode = exitCode;
    this.hint = hint;
  }
}

/** An error in the command line. */
export function usageError(message: string, hint = ""): CliError {
  return new CliError(exitCodes.usage, message, hint);
}

/** A refusal by the mesh, or a failed check. */
export function refused(message: string, hint = ""): CliError {
  return new CliError(exitCodes.refused, message, hint);
}

/** The text for standard error, without a final newline; empty if the message is empty. */
export function errorText(error: CliError): string {
  if (error.message === "") return "";
  const message = printable(error.message);
  return error.hint === "" ? `waggle: ${message}` : `waggle: ${message}\n${error.hint}`;
}
