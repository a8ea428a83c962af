// `waggle node ps`: the tasks of nodes.

import type { Command } from "commander";
import type { Cli } from "../cli.ts";
import { groupFilters } from "../filter.ts";
import { connect } from "../flags.ts";
import { engineNode } from "../shapes.ts";
import { printTasks, type TaskListFlags, taskListFlags } from "../task/listing.ts";
import { readAllTasks } from "../task/ls.ts";

export function registerNodePs(parent: Command, cli: Cli): void {
  const command = parent
    .command("ps")
    .argument("<node...>", "name or ID")
    .summary("list the tasks of one or more nodes")
    .description("List the tasks of one or more nodes, also those that have ended.");
  taskListFlags(command, "id, name, service or desired-state")
    .addHelpText(
      "after",
      "\nExamples:\n  waggle node ps node1\n  waggle node ps --filter desired-state=running node1 node2",
    )
    .action(async (refs: string[], flags: TaskListFlags) => {
      const mesh = await connect(command, cli);
      // A node that does not exist is an error, and not one without tasks.
      const nodes = await Promise.all(
        refs.map((ref) => mesh.get(`/nodes/${encodeURIComponent(ref)}`, engineNode)),
      );
      const filters = { ...groupFilters(flags), node: nodes.map(({ ID }) => ID) };
      printTasks(cli, await readAllTasks(mesh, filters), flags);
    });
}
