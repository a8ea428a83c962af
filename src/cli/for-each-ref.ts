// One request a name, when a verb takes many: a name that fails does not keep the others from being tried.

import type { Cli } from "./cli.ts";
import { CliError, errorText, exitCodes } from "./errors.ts";

/**
 * Runs `work` for each ref in turn. A refusal is printed and the next ref follows; a mesh that is out of reach or
 * wants another token ends it at once.
 *
 * @returns null when all went well, else an error without words that carries the exit code
 */
export async function forEachRef(
  cli: Cli,
  refs: readonly string[],
  work: (ref: string) => Promise<void>,
): Promise<CliError | null> {
  let failed = false;
  for (const ref of refs) {
    try {
      await work(ref);
    } catch (error) {
      if (!(error instanceof CliError) || error.exitCode !== exitCodes.refused) throw error;
      failed = true;
      if (error.message !== "") cli.err.write(`${errorText(error)}\n`);
    }
  }
  return failed ? new CliError(exitCodes.refused, "") : null;
}
