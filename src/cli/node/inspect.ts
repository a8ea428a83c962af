// `waggle node inspect`.

import type { Command } from "commander";
import type { Cli } from "../cli.ts";
import type { EngineNode } from "../engine.ts";
import { connect, type MeshFlags, meshFlags } from "../flags.ts";
import { forEachRef } from "../for-each-ref.ts";
import { type Format, formatFlag, printFormatted } from "../format.ts";
import { printJson } from "../json.ts";
import { capitalize, printLines } from "../output.ts";

type Flags = MeshFlags & { format?: Format; pretty?: boolean };

export function registerNodeInspect(parent: Command, cli: Cli): void {
  const command = parent
    .command("inspect")
    .argument("<node...>", "name or id")
    .summary("show all that is known of nodes")
    .description("Show all that is known of nodes, as the Engine API's JSON or for reading.")
    .option("--pretty", "print for reading");
  meshFlags(command.addOption(formatFlag()))
    .addHelpText("after", "\nExample:\n  waggle node inspect --pretty node1")
    .action(async (refs: string[], flags: Flags) => {
      const mesh = await connect(command, cli);
      const found: EngineNode[] = [];
      const failure = await forEachRef(cli, refs, async (ref) => {
        found.push(await mesh.get<EngineNode>(`/nodes/${encodeURIComponent(ref)}`));
      });
      if (flags.format !== undefined) printFormatted(cli.out, flags.format, found);
      else if (flags.pretty && !flags.json) for (const node of found) printLines(cli.out, prettyNode(node));
      else printJson(cli.out, found);
      if (failure !== null) throw failure;
    });
}

/** A node for reading; the words are those of `docker node inspect --pretty`. */
function prettyNode(node: EngineNode): string[] {
  const { Description: machine, Status: status } = node;
  const labels = Object.entries(node.Spec.Labels ?? {}).map(([key, value]) => ` - ${key}=${value}`);
  const cpus = (machine?.Resources?.NanoCPUs ?? 0) / 1e9;
  return [
    field("ID", node.ID),
    ...(labels.length === 0 ? [] : ["Labels:", ...labels]),
    field("Hostname", machine?.Hostname ?? ""),
    field("Joined at", node.CreatedAt ?? ""),
    "Status:",
    field(" State", capitalize(status?.State ?? "")),
    ...(status?.Message ? [field(" Message", status.Message)] : []),
    field(" Availability", capitalize(node.Spec.Availability ?? "")),
    field(" Address", status?.Addr ?? ""),
    "Platform:",
    field(" Operating System", machine?.Platform?.OS ?? ""),
    field(" Architecture", machine?.Platform?.Architecture ?? ""),
    "Resources:",
    field(" CPUs", String(cpus)),
    field(" Memory", memoryText(machine?.Resources?.MemoryBytes ?? 0)),
    field("Engine Version", machine?.Engine?.EngineVersion ?? ""),
    "",
  ];
}

function field(name: string, value: string): string {
  return `${name}:`.padEnd(24) + value;
}

function memoryText(bytes: number): string {
  const gibibytes = bytes / 2 ** 30;
  return gibibytes >= 1 ? `${gibibytes.toFixed(2)}GiB` : `${(bytes / 2 ** 20).toFixed(1)}MiB`;
}
