// `waggle service ls`: the list of services.

import type { Command } from "commander";
import type { Cli } from "../cli.ts";
import { filterQuery } from "../client.ts";
import type { EngineService } from "../engine.ts";
import { type FilterFlags, filterFlag, groupFilters } from "../filter.ts";
import { connect, type MeshFlags, meshFlags } from "../flags.ts";
import { type Format, formatFlag, type ListColumns, printRows } from "../format.ts";
import { printJson } from "../json.ts";
import { compareNaturally, printLines } from "../output.ts";
import { engineService, listOf } from "../shapes.ts";
import { imageText, ingressPorts, modeName, replicasText } from "./view.ts";

type Flags = MeshFlags &
  FilterFlags & {
    format?: Format;
    quiet?: boolean;
  };

export function registerServiceLs(parent: Command, cli: Cli): void {
  const command = parent
    .command("ls")
    .alias("list")
    .summary("list services")
    .description("List services: running and desired tasks, and the ports published on every node.")
    .addOption(filterFlag("id, name, label or mode"))
    .option("-q, --quiet", "only display IDs");
  meshFlags(command.addOption(formatFlag()))
    .addHelpText(
      "after",
      "\nExamples:\n  waggle service ls\n  waggle service ls -q --filter label=team=web\n  waggle service ls --format '{{.Name}}: {{.Replicas}}'",
    )
    .action(async (flags: Flags) => {
      const mesh = await connect(command, cli);
      const services = await mesh.get("/services", listOf(engineService), {
        status: true,
        ...filterQuery(groupFilters(flags)),
      });
      if (flags.json) return printJson(cli.out, services);
      const sorted = [...services].sort((a, b) => compareNaturally(a.Spec.Name, b.Spec.Name));
      if (flags.quiet) return printLines(cli.out, sorted.map(shortId));
      printRows(cli.out, flags.format, serviceColumns, sorted.map(serviceRow));
    });
}

/** Docker's columns and template fields. */
const serviceColumns: ListColumns = [
  ["ID", "ID"],
  ["NAME", "Name"],
  ["MODE", "Mode"],
  ["REPLICAS", "Replicas"],
  ["IMAGE", "Image"],
  ["PORTS", "Ports"],
];

function serviceRow(service: EngineService): string[] {
  return [
    shortId(service),
    service.Spec.Name,
    modeName(service),
    replicasText(service),
    imageText(service.Spec.TaskTemplate.ContainerSpec.Image),
    ingressPorts(service.Endpoint?.Ports ?? []),
  ];
}

function shortId(service: EngineService): string {
  return service.ID.slice(0, 12);
}
