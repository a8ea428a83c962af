// `waggle service ps`: the tasks of services; former tasks follow their slot.

import type { Command } from "commander";
import { closedPortLabel } from "../../protocol/engine/machine-labels.ts";
import type { Cli } from "../cli.ts";
import { filterQuery, type MeshClient } from "../client.ts";
import { groupFilters } from "../filter.ts";
import { connect } from "../flags.ts";
import { engineNode, engineTask, listOf } from "../shapes.ts";
import { printTasks, type TaskListFlags, type TaskListing, taskListFlags } from "../task/listing.ts";
import { readService } from "./api.ts";

export function registerServicePs(parent: Command, cli: Cli): void {
  const command = parent
    .command("ps")
    .argument("<service...>", "name or ID")
    .summary("list the tasks of one or more services")
    .description(
      "List the tasks of one or more services. Former tasks of a slot follow it, marked \\_, with their errors.",
    );
  taskListFlags(command, "id, name, node or desired-state")
    .addHelpText(
      "after",
      "\nExamples:\n  waggle service ps my-web\n  waggle service ps --no-trunc --filter desired-state=running my-web",
    )
    .action((refs: string[], flags: TaskListFlags) => ps(cli, command, refs, flags));
}

async function ps(cli: Cli, command: Command, refs: readonly string[], flags: TaskListFlags): Promise<void> {
  const mesh = await connect(command, cli);
  const listing = await readTasks(mesh, refs, groupFilters(flags));
  printTasks(cli, listing, flags);
  if (flags.json || flags.quiet) return;
  for (const line of closedPorts(listing)) cli.err.write(`${line}\n`);
}

/** The ports of these services that machines cannot open. They belong to no task, so they have lines of their own. */
function closedPorts({ services, nodes }: TaskListing): string[] {
  const published = new Set(
    services.flatMap(({ Endpoint }) =>
      (Endpoint?.Ports ?? []).map(({ PublishedPort }) => String(PublishedPort)),
    ),
  );
  return nodes.flatMap(({ ID, Description }) =>
    Object.entries(Description?.Engine?.Labels ?? {})
      .filter(
        ([name]) => name.startsWith(closedPortLabel) && published.has(name.slice(closedPortLabel.length)),
      )
      .map(([name, why]) => {
        const owner = Description?.Hostname ?? ID;
        return `warning: port ${name.slice(closedPortLabel.length)} of ${owner} is not open: ${why}`;
      }),
  );
}

async function readTasks(
  mesh: MeshClient,
  refs: readonly string[],
  filters: Record<string, string[]>,
): Promise<TaskListing> {
  const services = await Promise.all(refs.map((ref) => readService(mesh, ref)));
  const [tasks, nodes] = await Promise.all([
    mesh.get(
      "/tasks",
      listOf(engineTask),
      filterQuery({ ...filters, service: services.map((service) => service.ID) }),
    ),
    mesh.get("/nodes", listOf(engineNode)),
  ]);
  return { tasks, services, nodes };
}
