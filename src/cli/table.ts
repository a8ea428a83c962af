// `waggle table`: the routing table.

import type { Command } from "commander";
import type { Cli } from "./cli.ts";
import { connect, type MeshFlags, meshFlags } from "./flags.ts";
import { printJson } from "./json.ts";

export function registerTable(program: Command, cli: Cli): void {
  const command = program
    .command("table")
    .summary("print the routing table")
    .description(
      "Print the routing table: nodes, published ports, host names, and the tasks that take traffic.",
    );
  meshFlags(command)
    .addHelpText(
      "after",
      "\nExamples:\n  waggle table\n  waggle table > before; …; waggle table | diff before -",
    )
    .action(async (flags: MeshFlags) => {
      const mesh = await connect(command, cli);
      const text = await mesh.getNativeText("/table", { after: -1 });
      if (!flags.json) return void cli.out.write(text);
      const { readTable } = await import("../domain/table/text.ts");
      printJson(cli.out, readTable(text));
    });
}
