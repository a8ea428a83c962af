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
      const { readMeshTable } = await import("./read-mesh-table.ts");
      const { table, text } = await readMeshTable(mesh);
      if (flags.json) printJson(cli.out, table);
      else cli.out.write(text);
    });
}
