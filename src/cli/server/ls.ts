// `waggle server ls`: the list of static servers.

import type { Command } from "commander";
import { humanDuration } from "../../domain/model/human-duration.ts";
import { hostPort } from "../../domain/model/server.ts";
import type { ServerStatus } from "../../protocol/server.ts";
import type { Cli } from "../cli.ts";
import { connect, type MeshFlags, meshFlags } from "../flags.ts";
import { type Format, formatFlag, type ListColumns, printRows } from "../format.ts";
import { printJson } from "../json.ts";
import { printLines } from "../output.ts";
import { listOf, serverStatus } from "../shapes.ts";

type Flags = MeshFlags & { readonly format?: Format; readonly quiet?: boolean };

export function registerServerLs(parent: Command, cli: Cli): void {
  const command = parent
    .command("ls")
    .alias("list")
    .argument("[service]", "only servers of this service")
    .summary("list static servers")
    .description(
      "List static servers. STATUS, LAST CHECK, CHK, DWN and DWNTME read as on HAProxy's stats page.",
    )
    .option("-q, --quiet", "only display SERVICE/SERVER");
  meshFlags(command.addOption(formatFlag()))
    .addHelpText(
      "after",
      "\nExamples:\n  waggle server ls\n  waggle server ls my-web --format '{{.Name}} {{.Status}}'",
    )
    .action(async (service: string | undefined, flags: Flags) => {
      const mesh = await connect(command, cli);
      const servers = await mesh.getNative(
        "/servers",
        listOf(serverStatus),
        service === undefined ? {} : { service },
      );
      if (flags.json) return printJson(cli.out, servers);
      if (flags.quiet) return printLines(cli.out, servers.map(fullName));
      printRows(cli.out, flags.format, serverColumns, servers.map(serverCells));
    });
}

const serverColumns: ListColumns = [
  ["SERVER", "Name"],
  ["ADDRESS", "Address"],
  ["WEIGHT", "Weight"],
  ["STATUS", "Status"],
  ["LAST CHECK", "LastCheck"],
  ["CHK", "Fails"],
  ["DWN", "Downs"],
  ["DWNTME", "Downtime"],
];

function serverCells(server: ServerStatus): string[] {
  const { spec, status, lastCheck, fails, downs, downtimeMs } = server;
  return [
    fullName(server),
    hostPort(spec.host, spec.port),
    `${spec.weight}${spec.backup ? " backup" : ""}`,
    status,
    lastCheck,
    String(fails),
    String(downs),
    downtimeMs === 0 ? "" : humanDuration(downtimeMs).toLowerCase(),
  ];
}

function fullName({ service, spec }: ServerStatus): string {
  return `${service}/${spec.name}`;
}
