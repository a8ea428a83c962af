// `waggle context rm`: removes contexts.

import type { Command } from "commander";
import type { Cli } from "../cli.ts";
import { refused } from "../errors.ts";
import { warnings } from "../flags.ts";
import { removeEach } from "../for-each-ref.ts";
import { contextNamed, withoutContext } from "./contexts.ts";
import { changeContexts } from "./store.ts";

type Flags = { readonly force?: boolean; readonly json?: boolean };

export function registerContextRm(parent: Command, cli: Cli): void {
  parent
    .command("rm")
    .alias("remove")
    .argument("<context...>", "name")
    .summary("remove one or more contexts")
    .description("Remove one or more contexts and their tokens. The meshes stay as they are.")
    .option("-f, --force", "also remove the context in use")
    .option("--json", "format output as JSON")
    .addHelpText("after", "\nExample:\n  waggle context rm old")
    .action(async (names: string[], flags: Flags) => {
      await removeEach(cli, names, flags, (name) =>
        changeContexts(cli.env, warnings(cli), (all) => {
          contextNamed(all, name);
          if (all.current === name && flags.force !== true)
            throw refused(
              `context "${name}" is in use`,
              '"waggle context use default" uses none; --force removes it all the same',
            );
          return withoutContext(all, name);
        }),
      );
    });
}
