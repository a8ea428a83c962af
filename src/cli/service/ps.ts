// `waggle service ps`: the tasks of services; former tasks follow their slot.

import type { Command } from "commander";
import { closedPortLabel } from "../../protocol/engine/machine-labels.ts";
import type { Cli } from "../cli.ts";
import { filterQuery, type MeshClient } from "../client.ts";
import { humanAgo } from "../duration.ts";
import type { EngineNode, EngineService, EngineTask } from "../engine.ts";
import { type FilterFlags, filterFlag, groupFilters } from "../filter.ts";
import { connect, type MeshFlags, meshFlags } from "../flags.ts";
import { type Format, formatFlag, type ListColumns, printRows } from "../format.ts";
import { printJson } from "../json.ts";
import { capitalize, compareNaturally, ellipsis, printLines } from "../output.ts";
import { engineNode, engineTask, listOf } from "../shapes.ts";
import { readService } from "./api.ts";
import { engineTaskName, imageText, taskPorts } from "./view.ts";

/** Length to which Docker cuts the ERROR column. */
const maxErrorLength = 30;

type Flags = MeshFlags &
  FilterFlags & {
    format?: Format;
    quiet?: boolean;
    trunc: boolean;
  };

/** Tasks with the objects that name their services and nodes. */
type TaskListing = {
  readonly tasks: readonly EngineTask[];
  readonly services: readonly EngineService[];
  readonly nodes: readonly EngineNode[];
};

export function registerServicePs(parent: Command, cli: Cli): void {
  const command = parent
    .command("ps")
    .argument("<service...>", "name or ID")
    .summary("list the tasks of one or more services")
    .description(
      "List the tasks of one or more services. Former tasks of a slot follow it, marked \\_, with their errors.",
    )
    .addOption(filterFlag("id, name, node or desired-state"))
    .option("--no-trunc", "do not truncate output")
    .option("-q, --quiet", "only display IDs");
  meshFlags(command.addOption(formatFlag()))
    .addHelpText(
      "after",
      "\nExamples:\n  waggle service ps my-web\n  waggle service ps --no-trunc --filter desired-state=running my-web",
    )
    .action((refs: string[], flags: Flags) => ps(cli, command, refs, flags));
}

async function ps(cli: Cli, command: Command, refs: readonly string[], flags: Flags): Promise<void> {
  const mesh = await connect(command, cli);
  const listing = await readTasks(mesh, refs, groupFilters(flags));
  if (flags.json) return printJson(cli.out, listing.tasks);
  if (flags.quiet) {
    const ids = sortTasks(listing).map(({ task }) => task.ID);
    return printLines(cli.out, ids);
  }
  const rows = taskRows(listing, cli.nowMs(), flags.trunc, flags.format === undefined);
  printRows(cli.out, flags.format, taskColumns, rows);
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

/** Docker's columns and template fields. */
const taskColumns: ListColumns = [
  ["ID", "ID"],
  ["NAME", "Name"],
  ["IMAGE", "Image"],
  ["NODE", "Node"],
  ["DESIRED STATE", "DesiredState"],
  ["CURRENT STATE", "CurrentState"],
  ["ERROR", "Error"],
  ["PORTS", "Ports"],
];

/** Rows of tasks, newest first within a slot. @param isMarked marks former tasks of a slot with `\_` */
function taskRows(listing: TaskListing, nowMs: number, truncate: boolean, isMarked: boolean): string[][] {
  const hostnames = new Map(listing.nodes.map((node) => [node.ID, node.Description?.Hostname ?? node.ID]));
  let previousName = "";
  return sortTasks(listing).map(({ task, name }) => {
    const label = isMarked && name === previousName ? ` \\_ ${name}` : name;
    previousName = name;
    return [
      truncate ? task.ID.slice(0, 12) : task.ID,
      label,
      imageText(task.Spec.ContainerSpec?.Image ?? ""),
      hostnames.get(task.NodeID ?? "") ?? task.NodeID ?? "",
      capitalize(task.DesiredState),
      `${capitalize(task.Status.State)} ${humanAgo(Date.parse(task.Status.Timestamp ?? "") || nowMs, nowMs)}`,
      errorCell(task.Status.Err ?? "", truncate),
      taskPorts(task),
    ];
  });
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

function sortTasks({ tasks, services }: TaskListing): { task: EngineTask; name: string }[] {
  const names = new Map(services.map((service) => [service.ID, service.Spec.Name]));
  return tasks
    .map((task) => ({ task, name: engineTaskName(task, names.get(task.ServiceID) ?? task.ServiceID) }))
    .sort((a, b) => compareNaturally(a.name, b.name) || createdMs(b.task) - createdMs(a.task));
}

function createdMs(task: EngineTask): number {
  return Date.parse(task.CreatedAt ?? "") || 0;
}

function errorCell(error: string, truncate: boolean): string {
  if (error === "") return "";
  return `"${truncate ? ellipsis(error, maxErrorLength) : error}"`;
}
