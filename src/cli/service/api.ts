// Warnings that the mesh sends along with a yes.

import type { Cli } from "../cli.ts";
import type { EngineChangeResponse } from "../engine.ts";

/** Prints them on standard error. */
export function printWarnings(cli: Cli, change: EngineChangeResponse | null): void {
  for (const warning of change?.Warnings ?? []) cli.err.write(`warning: ${warning}\n`);
}
