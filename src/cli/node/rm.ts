// `waggle node rm`.

import type { Command } from "commander";
import type { Cli } from "../cli.ts";
import { connect, type MeshFlags, meshFlags } from "../flags.ts";
import { removeEach } from "../for-each-ref.ts";

type Flags = MeshFlags & { force?: boolean };

export function registerNodeRm(parent: Command, cli: Cli): void {
  const command = parent
    .command("rm")
    .alias("remove")
    .argument("<node...>", "name or id")
    .summary("forget nodes that are down")
    .description(
      "Forget nodes that are down. A node that is still heard must be stopped first, or forced out.",
    )
    .option("-f, --force", "remove a node that is still heard: its agent has to join again");
  meshFlags(command)
    .addHelpText("after", "\nExample:\n  waggle node rm node3")
    .action(async (refs: string[], flags: Flags) => {
      const mesh = await connect(command, cli);
      await removeEach(cli, refs, flags, (ref) =>
        mesh.delete(`/nodes/${encodeURIComponent(ref)}`, flags.force ? { force: 1 } : {}),
      );
    });
}
