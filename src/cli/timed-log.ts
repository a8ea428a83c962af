// The log of a command that runs for long, on standard error.

import { printable } from "../domain/model/printable.ts";
import type { Cli } from "./cli.ts";

/** Writes lines with the time before them. */
export function timedLog({ err }: Pick<Cli, "err">): (line: string) => void {
  return (line) => void err.write(`${new Date().toISOString()} ${printable(line)}\n`);
}
