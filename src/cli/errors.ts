// An error that ends the command: what to print and which exit code a script sees.

/** Exit codes, also printed by `waggle --help`. */
export const exitCodes = {
  ok: 0,
  /** The mesh read the request and refused it, or a check did not hold. */
  refused: 1,
  /** The command line cannot be read. */
  usage: 2,
  /** Nothing that speaks for a mesh answers. */
  unreachable: 3,
  /** The token is missing, wrong, or may not do this. */
  token: 4,
  interrupted: 130,
} as const;

export type ExitCode = (typeof exitCodes)[keyof typeof exitCodes];

/** Ends the command. An empty message prints nothing: what there is to say was said already. */
export class CliError extends Error {
  override readonly name = "CliError";
  readonly exitCode: number;
  /** What would work; printed on a line of its own. */
  readonly hint: string;

  constructor(exitCode: number, message: string, hint = "", cause?: unknown) {
    super(message, { cause });
    this.exitCode = exitCode;
    this.hint = hint;
  }
}

/** The command line says something that cannot be read. */
export function usageError(message: string, hint = ""): CliError {
  return new CliError(exitCodes.usage, message, hint);
}

/** The mesh says no. */
export function refused(message: string, hint = ""): CliError {
  return new CliError(exitCodes.refused, message, hint);
}

/** The lines for standard error, without a final newline; empty when there is nothing to say. */
export function errorText(error: CliError): string {
  if (error.message === "") return "";
  return error.hint === "" ? `waggle: ${error.message}` : `waggle: ${error.message}\n${error.hint}`;
}
