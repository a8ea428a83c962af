// `waggle context`: groups the verbs for contexts.

import type { Command } from "commander";
import type { Cli } from "../cli.ts";
import { registerContextCreate } from "./create.ts";
import { registerContextInspect } from "./inspect.ts";
import { registerContextLs } from "./ls.ts";
import { registerContextRm } from "./rm.ts";
import { registerContextShow, registerContextUse } from "./use.ts";

export function registerContext(program: Command, cli: Cli): void {
  const context = program
    .command("context")
    .enablePositionalOptions()
    .summary("manage contexts: named meshes")
    .description(
      "Manage contexts: names for meshes, with their URLs and tokens, stored for this user. Flags and WAGGLE_URL take precedence over the context in use.",
    );
  registerContextLs(context, cli);
  registerContextUse(context, cli);
  registerContextShow(context, cli);
  registerContextCreate(context, cli);
  registerContextInspect(context, cli);
  registerContextRm(context, cli);
}
