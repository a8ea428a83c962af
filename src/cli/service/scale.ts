// `waggle service scale`: changes the number of replicas.

import type { Command } from "commander";
import type { Cli } from "../cli.ts";
import type { MeshClient } from "../client.ts";
import { CliError, refused, usageError } from "../errors.ts";
import { connect, type MeshFlags, meshFlags } from "../flags.ts";
import { forEachRef } from "../for-each-ref.ts";
import { printJson } from "../json.ts";
import { readCountArgument } from "../values.ts";
import { printWarnings, readService, writeSpec } from "./api.ts";
import { withReplicas } from "./change-spec.ts";
import { type WaitFlags, waitFlags } from "./run-flags.ts";
import { waitOnService } from "./wait-on-service.ts";

type Flags = MeshFlags & WaitFlags;

/** A parsed `SERVICE=REPLICAS` argument. */
type Scale = { readonly ref: string; readonly replicas: number };

export function registerServiceScale(parent: Command, cli: Cli): void {
  const command = parent
    .command("scale")
    .argument("<service=replicas...>", "name or ID, and the number of tasks")
    .summary("scale one or multiple replicated services")
    .description("Scale one or multiple replicated services, and wait until they run.");
  waitFlags(command);
  meshFlags(command)
    .addHelpText(
      "after",
      "\nExamples:\n  waggle service scale my-web=5\n  waggle service scale my-web=2 api=3 --detach",
    )
    .action((args: string[], flags: Flags) => scaleAll(cli, command, args.map(readScale), flags));
}

/** Parses `my-web=3`. */
export function readScale(text: string): Scale {
  const index = text.indexOf("=");
  const hint = "write it as my-web=3";
  if (index < 1) throw usageError(`invalid scale specifier '${text}'`, hint);
  try {
    return { ref: text.slice(0, index), replicas: readCountArgument(text.slice(index + 1)) };
  } catch (error) {
    if (!(error instanceof CliError)) throw error;
    throw usageError(`invalid replicas value "${text.slice(index + 1)}": ${error.message}`, hint);
  }
}

async function scaleAll(cli: Cli, command: Command, scales: readonly Scale[], flags: Flags): Promise<void> {
  const mesh = await connect(command, cli);
  const scaled: Record<string, number> = {};
  const replicasOf = new Map(scales.map((scale) => [scale.ref, scale.replicas]));
  const failure = await forEachRef(cli, [...replicasOf.keys()], async (ref) => {
    const replicas = replicasOf.get(ref) ?? 0;
    await scale(cli, mesh, ref, replicas);
    scaled[ref] = replicas;
    if (!flags.json) cli.out.write(`${ref} scaled to ${replicas}\n`);
  });
  if (flags.json) printJson(cli.out, { scaled });
  if (!flags.detach) for (const ref of Object.keys(scaled)) await waitOnService(cli, mesh, ref, flags);
  if (failure !== null) throw failure;
}

async function scale(cli: Cli, mesh: MeshClient, ref: string, replicas: number): Promise<void> {
  const service = await readService(mesh, ref);
  if (!service.Spec.Mode?.Replicated) {
    throw refused(`${ref}: scale can only be used with replicated mode`);
  }
  printWarnings(cli, await writeSpec(mesh, service, withReplicas(service.Spec, replicas)));
}
