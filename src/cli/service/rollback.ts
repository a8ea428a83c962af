// `waggle service rollback`: takes a service back to its previous spec.

import type { Command } from "commander";
import type { Cli } from "../cli.ts";
import { connect, type MeshFlags, meshFlags } from "../flags.ts";
import { printJson } from "../json.ts";
import { printWarnings, readService, writeSpec } from "./api.ts";
import { type WaitFlags, waitFlags } from "./run-flags.ts";
import { waitOnService } from "./wait-on-service.ts";

type Flags = MeshFlags & WaitFlags;

export function registerServiceRollback(parent: Command, cli: Cli): void {
  const command = parent
    .command("rollback")
    .argument("<service>", "name or ID")
    .summary("revert changes to a service's configuration")
    .description("Revert a service to its specification before the last update, and wait until it runs.");
  meshFlags(waitFlags(command))
    .addHelpText(
      "after",
      "\nExamples:\n  waggle service rollback my-web\n  waggle service rollback --detach my-web",
    )
    .action((ref: string, flags: Flags) => rollback(cli, command, ref, flags));
}

async function rollback(cli: Cli, command: Command, ref: string, flags: Flags): Promise<void> {
  const mesh = await connect(command, cli);
  const service = await readService(mesh, ref);
  printWarnings(cli, await writeSpec(mesh, service, service.Spec, true));
  if (flags.json) printJson(cli.out, await readService(mesh, service.ID));
  else cli.out.write(`${ref}\n`);
  if (!flags.detach) await waitOnService(cli, mesh, service.ID, flags);
}
