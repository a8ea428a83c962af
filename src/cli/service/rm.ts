// `waggle service rm`: removes services.

import type { Command } from "commander";
import type { Cli } from "../cli.ts";
import { connect, type MeshFlags, meshFlags } from "../flags.ts";
import { removeEach } from "../for-each-ref.ts";

export function registerServiceRm(parent: Command, cli: Cli): void {
  const command = parent
    .command("rm")
    .alias("remove")
    .argument("<service...>", "name or ID")
    .summary("remove one or more services")
    .description(
      "Remove one or more services. Their ports close at once; their tasks finish open requests and stop.",
    );
  meshFlags(command)
    .addHelpText(
      "after",
      "\nExamples:\n  waggle service rm my-web\n  waggle service rm $(waggle service ls -q)",
    )
    .action(async (refs: string[], flags: MeshFlags) => {
      const mesh = await connect(command, cli);
      await removeEach(cli, refs, flags, (ref) => mesh.delete(`/services/${encodeURIComponent(ref)}`));
    });
}
