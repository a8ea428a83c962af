// `waggle node update`: availability, admin state, transport and labels of a node.

import type { Command } from "commander";
import { dialedHost } from "../../domain/model/dialed-host.ts";
import { isConfirmed, readHostPatterns } from "../../domain/model/host-pattern.ts";
import { addressLabel, transportLabel } from "../../domain/model/node.ts";
import { transports } from "../../domain/model/node-gateway.ts";
import { printable } from "../../domain/model/printable.ts";
import type { Cli } from "../cli.ts";
import type { EngineNode } from "../engine.ts";
import { usageError } from "../errors.ts";
import { choiceFlag, connect, listFlag, type MeshFlags, meshFlags } from "../flags.ts";
import { printJson } from "../json.ts";
import { emptyBody, engineNode } from "../shapes.ts";
import { readLabel } from "../values.ts";

type NodeUpdateFlags = {
  readonly availability?: string;
  readonly admin?: string;
  readonly labelAdd?: readonly (readonly [string, string])[];
  readonly labelRm?: readonly string[];
  readonly advertiseAddr?: string;
  readonly transport?: string;
};

type Flags = MeshFlags & NodeUpdateFlags;

const nodeUpdateHelp = `
Examples:
  waggle node update --availability drain node2     replace its tasks on other nodes, then stop them
  waggle node update --availability active node2
  waggle node update --label-add zone=a node1       for --constraint node.labels.zone==a
  waggle node update --admin drain node2            keep its tasks; the balancer does not pick it
  waggle node update --admin ready node2
  waggle node update --advertise-addr node4.example.com node4     confirm the address that node4 claims
  waggle node update --transport tunnel node2       reach node2 by its tunnel only; auto: let the mesh choose

A paused or drained node still accepts requests on every published port.`;

export function registerNodeUpdate(parent: Command, cli: Cli): void {
  const command = parent
    .command("update")
    .argument("<node>", "name or ID")
    .summary("update a node")
    .description("Update a node: its availability, admin state, transport and labels.")
    .addOption(choiceFlag("--availability <state>", "availability of the node", ["active", "pause", "drain"]))
    .addOption(
      choiceFlag("--admin <state>", "admin state: whether the balancer picks the node", [
        "ready",
        "drain",
        "maint",
      ]),
    )
    .addOption(listFlag("--label-add <key=value>", "add or update a node label", (text) => [readLabel(text)]))
    .addOption(listFlag("--label-rm <key>", "remove a node label", (text) => [text]))
    .option(
      "--advertise-addr <addresses>",
      `confirm addresses of the node, comma-separated; sets its label ${addressLabel}, "" removes it`,
    );
  command.addOption(
    choiceFlag(
      "--transport <kind>",
      `pin how the mesh reaches the node; sets its label ${transportLabel}, auto removes it`,
      [...transports, "auto"],
    ),
  );
  meshFlags(command)
    .addHelpText("after", nodeUpdateHelp)
    .action((ref: string, flags: Flags) => update(cli, command, ref, flags));
}

async function update(cli: Cli, command: Command, ref: string, flags: Flags): Promise<void> {
  const { availability, admin, labelAdd, labelRm, advertiseAddr, transport } = flags;
  const changes = [availability, labelAdd, labelRm, advertiseAddr, transport];
  const changesSpec = changes.some((change) => change !== undefined);
  if (!changesSpec && admin === undefined) {
    throw usageError(
      "nothing to change",
      "name what to change: --availability, --admin, --label-add, --label-rm, --transport or --advertise-addr",
    );
  }
  const mesh = await connect(command, cli);
  const node = await mesh.get(`/nodes/${encodeURIComponent(ref)}`, engineNode);
  if (changesSpec) {
    const query = { version: node.Version.Index };
    await mesh.post(`/nodes/${node.ID}/update`, changeNode(node.Spec, flags), emptyBody, query);
  }
  if (admin !== undefined) {
    await mesh.postNative("/mesh/admin", { kind: "node", ref: node.ID, state: admin }, emptyBody);
  }
  if (flags.json) printJson(cli.out, await mesh.get(`/nodes/${node.ID}`, engineNode));
  else cli.out.write(`${ref}\n`);
  const warning = advertiseWarning(node, advertiseAddr);
  if (warning !== null) cli.err.write(`warning: ${printable(warning)}\n`);
}

/** Says that confirmed addresses do not have the one that the node claims, as after a typing error. */
export function advertiseWarning({ Description, Status }: EngineNode, confirmed = ""): string | null {
  const claimed = dialedHost(Status?.Addr ?? "");
  if (confirmed === "" || claimed === null || isConfirmed(claimed, readHostPatterns(confirmed).patterns))
    return null;
  const name = Description?.Hostname ?? "the node";
  return `${name} claims ${claimed}, which ${confirmed} does not confirm: it keeps that address until its agent starts with another --address`;
}

/** The node's spec with the flags applied; removals come before additions. */
export function changeNode(spec: EngineNode["Spec"], change: NodeUpdateFlags): EngineNode["Spec"] {
  const removed = new Set([
    ...(change.labelRm ?? []),
    ...(change.advertiseAddr === "" ? [addressLabel] : []),
    ...(change.transport === "auto" ? [transportLabel] : []),
  ]);
  const kept = Object.entries(spec.Labels ?? {}).filter(([key]) => !removed.has(key));
  return {
    ...spec,
    Labels: Object.fromEntries([
      ...kept,
      ...(change.labelAdd ?? []),
      ...(change.advertiseAddr ? [[addressLabel, change.advertiseAddr]] : []),
      ...(change.transport !== undefined && change.transport !== "auto"
        ? [[transportLabel, change.transport]]
        : []),
    ]),
    ...(change.availability !== undefined && { Availability: change.availability }),
  };
}
