// `waggle service rm`.

import type { Command } from "commander";
import type { Cli } from "../cli.ts";
import { connect, type MeshFlags, meshFlags } from "../flags.ts";
import { forEachRef } from "../for-each-ref.ts";
import { printJson } from "../json.ts";

export function registerServiceRm(parent: Command, cli: Cli): void {
  const command = parent
    .command("rm")
    .alias("remove")
    .argument("<service...>", "name or id")
    .summary("remove services")
    .description(
      "Remove services. Their ports close at once; their tasks finish what they are answering and stop.",
    );
  meshFlags(command)
    .addHelpText(
      "after",
      "\nExamples:\n  waggle service rm my-web\n  waggle service rm $(waggle service ls -q)",
    )
    .action(async (refs: string[], flags: MeshFlags) => {
      const mesh = await connect(command, cli);
      const removed: string[] = [];
      const failure = await forEachRef(cli, refs, async (ref) => {
        await mesh.delete(`/services/${encodeURIComponent(ref)}`);
        removed.push(ref);
        if (!flags.json) cli.out.write(`${ref}\n`);
      });
      if (flags.json) printJson(cli.out, { removed });
      if (failure !== null) throw failure;
    });
}
