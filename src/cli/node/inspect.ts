// `waggle node inspect`: details of nodes.

import type { Command } from "commander";
import type { Cli } from "../cli.ts";
import type { EngineNode } from "../engine.ts";
import { connect, type MeshFlags, meshFlags } from "../flags.ts";
import { type InspectFlags, inspectEach } from "../for-each-ref.ts";
import { formatFlag } from "../format.ts";
import { capitalize } from "../output.ts";
import { engineNode } from "../shapes.ts";

export function registerNodeInspect(parent: Command, cli: Cli): void {
  const command = parent
    .command("inspect")
    .argument("<node...>", "name or ID")
    .summary("display detailed information on one or more nodes")
    .description("Display detailed information on one or more nodes: JSON of the Engine API, or --pretty.")
    .option("--pretty", "print the information in a human friendly format");
  meshFlags(command.addOption(formatFlag()))
    .addHelpText("after", "\nExample:\n  waggle node inspect --pretty node1")
    .action(async (refs: string[], flags: MeshFlags & InspectFlags) => {
      const mesh = await connect(command, cli);
      const fetch = (ref: string) =>
        mesh.get(`/nodes/${encodeURIComponent(ref)}`, engineNode, { gateway: "true" });
      await inspectEach(cli, refs, flags, fetch, prettyNode);
    });
}

/** A node as `docker node inspect --pretty` prints it, and how the mesh reaches it. */
function prettyNode(node: EngineNode): string[] {
  const { Description: description, Status: status } = node;
  const labels = labelLines(node.Spec.Labels);
  const engineLabels = labelLines(description?.Engine?.Labels);
  const cpus = (description?.Resources?.NanoCPUs ?? 0) / 1e9;
  return [
    field("ID", node.ID),
    ...(labels.length === 0 ? [] : ["Labels:", ...labels]),
    field("Hostname", description?.Hostname ?? ""),
    field("Joined at", node.CreatedAt ?? ""),
    "Status:",
    field(" State", capitalize(status?.State ?? "")),
    ...(status?.Message ? [field(" Message", status.Message)] : []),
    field(" Availability", capitalize(node.Spec.Availability ?? "")),
    field(" Address", status?.Addr ?? ""),
    ...gatewayLines(node),
    "Platform:",
    field(" Operating System", description?.Platform?.OS ?? ""),
    field(" Architecture", description?.Platform?.Architecture ?? ""),
    "Resources:",
    field(" CPUs", String(cpus)),
    field(" Memory", memoryText(description?.Resources?.MemoryBytes ?? 0)),
    field("Engine Version", description?.Engine?.EngineVersion ?? ""),
    ...(engineLabels.length === 0 ? [] : ["Engine Labels:", ...engineLabels]),
    "",
  ];
}

/** How the mesh reaches the node. Docker has no such lines. */
function gatewayLines({ Gateway: gateway }: EngineNode): string[] {
  if (gateway === undefined) return [];
  return [
    "Gateway:",
    field(" Transport", gateway.Transport),
    field(" URL", gateway.URL),
    ...(gateway.Reason === "" ? [] : [field(" Reason", gateway.Reason)]),
  ];
}

function labelLines(labels: Readonly<Record<string, string>> = {}): string[] {
  return Object.entries(labels).map(([key, value]) => ` - ${key}=${value}`);
}

function field(name: string, value: string): string {
  return `${name}:`.padEnd(24) + value;
}

function memoryText(bytes: number): string {
  const gibibytes = bytes / 2 ** 30;
  return gibibytes >= 1 ? `${gibibytes.toFixed(2)}GiB` : `${(bytes / 2 ** 20).toFixed(1)}MiB`;
}
