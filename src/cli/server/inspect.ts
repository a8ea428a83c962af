// `waggle server inspect`: details of static servers.

import type { Command } from "commander";
import type { ServerStatus } from "../../protocol/server.ts";
import type { Cli } from "../cli.ts";
import type { MeshClient } from "../client.ts";
import { refused } from "../errors.ts";
import { connect, type MeshFlags, meshFlags } from "../flags.ts";
import { type InspectFlags, inspectEach } from "../for-each-ref.ts";
import { formatFlag } from "../format.ts";
import { listOf, serverStatus } from "../shapes.ts";
import { readServerRef } from "./flags.ts";

export function registerServerInspect(parent: Command, cli: Cli): void {
  const command = parent
    .command("inspect")
    .argument("<server...>", "SERVICE/SERVER")
    .summary("display detailed information on one or more static servers")
    .description(
      "Display detailed information on one or more static servers, as JSON: checks, and their results by region.",
    );
  meshFlags(command.addOption(formatFlag()))
    .addHelpText("after", "\nExample:\n  waggle server inspect my-web/node1 | jq '.[0].regions'")
    .action(async (refs: string[], flags: MeshFlags & InspectFlags) => {
      const mesh = await connect(command, cli);
      await inspectEach(cli, refs, flags, (ref) => fetchServer(mesh, ref));
    });
}

/** Fetches the server `SERVICE/SERVER`. */
export async function fetchServer(mesh: MeshClient, ref: string): Promise<ServerStatus> {
  const { service, name } = readServerRef(ref);
  const servers = await mesh.getNative("/servers", listOf(serverStatus), { service });
  const server = servers.find(({ spec }) => spec.name === name);
  if (server !== undefined) return server;
  const names = servers.map(({ spec }) => spec.name).join(", ");
  throw refused(`server ${ref} not found`, names === "" ? "" : `servers of ${service}: ${names}`);
}
