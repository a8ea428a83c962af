// `waggle task ls`: the tasks of the mesh.

import type { Command } from "commander";
import type { Cli } from "../cli.ts";
import { filterQuery, type MeshClient } from "../client.ts";
import { groupFilters } from "../filter.ts";
import { connect } from "../flags.ts";
import { engineNode, engineService, engineTask, listOf } from "../shapes.ts";
import { printTasks, type TaskListFlags, type TaskListing, taskListFlags } from "./listing.ts";

export function registerTaskLs(parent: Command, cli: Cli): void {
  const command = parent
    .command("ls")
    .alias("list")
    .summary("list the tasks of all services")
    .description(
      "List the tasks of all services. Former tasks of a slot follow it, marked \\_, with their errors.",
    );
  taskListFlags(command, "id, name, service, node or desired-state")
    .addHelpText(
      "after",
      "\nExamples:\n  waggle task ls\n  waggle task ls --filter node=node1 --filter desired-state=running\n  waggle task ls --format 'table {{.Name}}\\t{{.Node}}\\t{{.CurrentState}}'",
    )
    .action(async (flags: TaskListFlags) => {
      const mesh = await connect(command, cli);
      printTasks(cli, await readAllTasks(mesh, groupFilters(flags)), flags);
    });
}

/** Tasks of all services, as far as the filters let them through. */
export async function readAllTasks(
  mesh: MeshClient,
  filters: Readonly<Record<string, readonly string[]>>,
): Promise<TaskListing> {
  const [tasks, services, nodes] = await Promise.all([
    mesh.get("/tasks", listOf(engineTask), filterQuery(filters)),
    mesh.get("/services", listOf(engineService)),
    mesh.get("/nodes", listOf(engineNode)),
  ]);
  return { tasks, services, nodes };
}
