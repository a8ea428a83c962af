// `waggle node ls`.

import type { Command } from "commander";
import type { Cli } from "../cli.ts";
import { filters } from "../client.ts";
import type { EngineNode } from "../engine.ts";
import { filterSet, readFilter } from "../filter.ts";
import { connect, listFlag, type MeshFlags, meshFlags } from "../flags.ts";
import { byNature, capital, printJson, printLines, table } from "../output.ts";

type Flags = MeshFlags & { quiet?: boolean; filter?: readonly (readonly [string, string])[] };

export function registerNodeLs(parent: Command, cli: Cli): void {
  const command = parent
    .command("ls")
    .alias("list")
    .summary("list nodes, and whether they are heard")
    .description("List nodes: whether each is heard (STATUS) and whether it may get tasks (AVAILABILITY).")
    .addOption(
      listFlag("-f, --filter <key=value>", "only where id, name, role or node.label matches", (text) => [
        readFilter(text),
      ]),
    )
    .option("-q, --quiet", "print ids only");
  meshFlags(command)
    .addHelpText(
      "after",
      "\nExamples:\n  waggle node ls\n  waggle node ls --json | jq -r '.[].Description.Hostname'",
    )
    .action(async (flags: Flags) => {
      const mesh = await connect(command, cli);
      const nodes = await mesh.get<EngineNode[]>("/nodes", filters(filterSet(flags.filter)));
      if (flags.json) return printJson(cli.out, nodes);
      const sorted = [...nodes].sort((a, b) => byNature(hostname(a), hostname(b)));
      if (flags.quiet)
        return printLines(
          cli.out,
          sorted.map((node) => node.ID),
        );
      cli.out.write(nodeTable(sorted));
    });
}

/** Nodes in Docker's columns; the blank after an ID is where Docker marks the node that one is on. */
export function nodeTable(nodes: readonly EngineNode[]): string {
  const rows = nodes.map((node) => [
    `${node.ID}  `,
    hostname(node),
    capital(node.Status?.State ?? ""),
    capital(node.Spec.Availability ?? ""),
    managerStatus(node),
    node.Description?.Engine?.EngineVersion ?? "",
  ]);
  return table(["ID", "HOSTNAME", "STATUS", "AVAILABILITY", "MANAGER STATUS", "ENGINE VERSION"], rows);
}

function hostname(node: EngineNode): string {
  return node.Description?.Hostname ?? "";
}

function managerStatus({ ManagerStatus: manager }: EngineNode): string {
  if (manager === undefined) return "";
  return manager.Leader ? "Leader" : capital(manager.Reachability ?? "");
}
