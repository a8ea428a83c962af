// `waggle server rm`: removes static servers.

import type { Command } from "commander";
import type { Cli } from "../cli.ts";
import { connect, type MeshFlags, meshFlags } from "../flags.ts";
import { removeEach } from "../for-each-ref.ts";
import { serverPath } from "./flags.ts";

export function registerServerRm(parent: Command, cli: Cli): void {
  const command = parent
    .command("rm")
    .alias("remove")
    .argument("<server...>", "SERVICE/SERVER")
    .summary("remove one or more static servers")
    .description("Remove one or more static servers. Open requests are completed.");
  meshFlags(command)
    .addHelpText(
      "after",
      "\nExample:\n  waggle server set my-web/node1 --admin drain && waggle server rm my-web/node1",
    )
    .action(async (refs: string[], flags: MeshFlags) => {
      const mesh = await connect(command, cli);
      await removeEach(cli, refs, flags, (ref) => mesh.deleteNative(`/mesh${serverPath(ref)}`));
    });
}
