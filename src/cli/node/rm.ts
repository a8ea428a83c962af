// `waggle node rm`: removes nodes that are down.

import type { Command } from "commander";
import type { Cli } from "../cli.ts";
import { connect, type MeshFlags, meshFlags } from "../flags.ts";
import { removeEach } from "../for-each-ref.ts";

type Flags = MeshFlags & { force?: boolean };

export function registerNodeRm(parent: Command, cli: Cli): void {
  const command = parent
    .command("rm")
    .alias("remove")
    .argument("<node...>", "name or ID")
    .summary("remove one or more nodes")
    .description(
      "Remove one or more nodes that are down. Stop the agent of a node that is ready first, or use --force.",
    )
    .option("-f, --force", "force remove a node that is ready; its agent must join again");
  meshFlags(command)
    .addHelpText("after", "\nExample:\n  waggle node rm node3")
    .action(async (refs: string[], flags: Flags) => {
      const mesh = await connect(command, cli);
      await removeEach(cli, refs, flags, (ref) =>
        mesh.delete(`/nodes/${encodeURIComponent(ref)}`, flags.force ? { force: 1 } : {}),
      );
    });
}
