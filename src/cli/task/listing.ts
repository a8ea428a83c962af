// Lists of tasks, as `service ps`, `node ps` and `task ls` print them; former tasks follow their slot.

import type { Command } from "commander";
import type { Cli } from "../cli.ts";
import { humanAgo } from "../duration.ts";
import type { EngineNode, EngineService, EngineTask } from "../engine.ts";
import { type FilterFlags, filterFlag } from "../filter.ts";
import { type MeshFlags, meshFlags } from "../flags.ts";
import { type Format, formatFlag, type ListColumns, printRows } from "../format.ts";
import { printJson } from "../json.ts";
import { capitalize, compareNaturally, ellipsis, printLines } from "../output.ts";
import { engineTaskName, imageText, taskPorts } from "../service/view.ts";

/** Length to which Docker cuts the ERROR column. */
const maxErrorLength = 30;

export type TaskListFlags = MeshFlags & FilterFlags & { format?: Format; quiet?: boolean; trunc: boolean };

/** Adds the flags of a list of tasks. @param keys that it can filter by, for the help text */
export function taskListFlags(command: Command, keys: string): Command {
  command
    .addOption(filterFlag(keys))
    .option("--no-trunc", "do not truncate output")
    .option("-q, --quiet", "only display IDs")
    .addOption(formatFlag());
  return meshFlags(command);
}

/** Tasks with the objects that name their services and nodes. */
export type TaskListing = {
  readonly tasks: readonly EngineTask[];
  readonly services: readonly EngineService[];
  readonly nodes: readonly EngineNode[];
};

/** Prints tasks. */
export function printTasks(cli: Cli, listing: TaskListing, flags: TaskListFlags): void {
  if (flags.json) return void printJson(cli.out, listing.tasks);
  if (flags.quiet) {
    const ids = sortTasks(listing).map(({ task }) => task.ID);
    return void printLines(cli.out, ids);
  }
  const rows = taskRows(listing, cli.nowMs(), flags.trunc, flags.format === undefined);
  printRows(cli.out, flags.format, taskColumns, rows);
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
