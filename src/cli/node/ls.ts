// `waggle node ls`: the list of nodes.

import type { Command } from "commander";
import { closedPortLabel, ingressLabel, kindLabel } from "../../protocol/engine/machine-labels.ts";
import type { Cli } from "../cli.ts";
import { filterQuery } from "../client.ts";
import type { EngineNode } from "../engine.ts";
import { type FilterFlags, filterFlag, groupFilters } from "../filter.ts";
import { connect, type MeshFlags, meshFlags } from "../flags.ts";
import { type Format, formatFlag, type ListColumns, printRows } from "../format.ts";
import { printJson } from "../json.ts";
import { capitalize, compareNaturally, printLines } from "../output.ts";
import { engineNode, listOf } from "../shapes.ts";

type Flags = MeshFlags &
  FilterFlags & {
    format?: Format;
    quiet?: boolean;
  };

export function registerNodeLs(parent: Command, cli: Cli): void {
  const command = parent
    .command("ls")
    .alias("list")
    .summary("list nodes")
    .description(
      "List nodes: whether each is connected (STATUS), takes tasks (AVAILABILITY), and how the mesh reaches it (TRANSPORT).",
    )
    .addOption(filterFlag("id, name, role or node.label"))
    .option("-q, --quiet", "only display IDs");
  meshFlags(command.addOption(formatFlag()))
    .addHelpText(
      "after",
      "\nExamples:\n  waggle node ls\n  waggle node ls --json | jq -r '.[].Description.Hostname'",
    )
    .action(async (flags: Flags) => {
      const mesh = await connect(command, cli);
      const nodes = await mesh.get("/nodes", listOf(engineNode), {
        ...filterQuery(groupFilters(flags)),
        gateway: "true",
      });
      if (flags.json) return printJson(cli.out, nodes);
      const sorted = [...nodes].sort((a, b) => compareNaturally(hostname(a), hostname(b)));
      if (flags.quiet)
        return printLines(
          cli.out,
          sorted.map((node) => node.ID),
        );
      const hasIngress = nodes.some((node) => ingressCell(node) !== "");
      const columns =
        hasIngress || flags.format !== undefined ? [...nodeColumns, ingressColumn] : nodeColumns;
      printRows(cli.out, flags.format, columns, sorted.map(nodeRow));
    });
}

/** Docker's columns and template fields, then Waggle's own. */
const nodeColumns: ListColumns = [
  ["ID", "ID"],
  ["HOSTNAME", "Hostname"],
  ["STATUS", "Status"],
  ["AVAILABILITY", "Availability"],
  ["MANAGER STATUS", "ManagerStatus"],
  ["ENGINE VERSION", "EngineVersion"],
  ["TRANSPORT", "Transport"],
];

/** Shown if any machine opens published ports itself, so that other meshes have Docker's columns. */
const ingressColumn = ["INGRESS", "Ingress"] as const;

/** As in Docker, a star marks the node that responds: the leader, which is the mesh itself. */
function nodeRow(node: EngineNode): string[] {
  return [
    `${node.ID} ${node.ManagerStatus?.Leader === true ? "*" : " "}`,
    hostname(node),
    capitalize(node.Status?.State ?? ""),
    capitalize(node.Spec.Availability ?? ""),
    managerStatus(node),
    node.Description?.Engine?.EngineVersion ?? "",
    node.Gateway?.Transport ?? "",
    ingressCell(node),
  ];
}

function hostname(node: EngineNode): string {
  return node.Description?.Hostname ?? "";
}

/** `3 ports open`, `balancer: 2 of 3 ports open; 8080: another process on this machine listens there`. */
function ingressCell({ Description }: EngineNode): string {
  const labels = Description?.Engine?.Labels ?? {};
  const [first, ...others] = Object.entries(labels).filter(([name]) => name.startsWith(closedPortLabel));
  const kind = labels[kindLabel] === undefined ? "" : `${labels[kindLabel]}: `;
  const ports = labels[ingressLabel];
  if (ports === undefined) return "";
  if (first === undefined) return kind + ports;
  const more = others.length === 0 ? "" : `, and ${others.length} more`;
  return `${kind}${ports}; ${first[0].slice(closedPortLabel.length)}: ${first[1]}${more}`;
}

function managerStatus({ ManagerStatus: manager }: EngineNode): string {
  if (manager === undefined) return "";
  return manager.Leader ? "Leader" : capitalize(manager.Reachability ?? "");
}
