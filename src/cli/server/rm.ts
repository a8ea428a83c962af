// `waggle server rm`.

import type { Command } from "commander";
import type { Cli } from "../cli.ts";
import { connect, type MeshFlags, meshFlags } from "../flags.ts";
import { forEachRef } from "../for-each-ref.ts";
import { printJson } from "../json.ts";
import { serverPath } from "./flags.ts";

export function registerServerRm(parent: Command, cli: Cli): void {
  const command = parent
    .command("rm")
    .alias("remove")
    .argument("<server...>", "SERVICE/SERVER")
    .summary("take servers away")
    .description("Take static servers away from their service. Requests under way are answered.");
  meshFlags(command)
    .addHelpText(
      "after",
      "\nExample:\n  waggle server set my-web/node1 --admin drain && waggle server rm my-web/node1",
    )
    .action(async (refs: string[], flags: MeshFlags) => {
      const mesh = await connect(command, cli);
      const removed: string[] = [];
      const failure = await forEachRef(cli, refs, async (ref) => {
        await mesh.deleteNative(`/mesh${serverPath(ref)}`);
        removed.push(ref);
        if (!flags.json) cli.out.write(`${ref}\n`);
      });
      if (flags.json) printJson(cli.out, { removed });
      if (failure !== null) throw failure;
    });
}
