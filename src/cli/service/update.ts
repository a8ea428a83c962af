// `waggle service update`: reads the spec, edits it, and writes it back with the version that was read.

import type { Command } from "commander";
import type { Cli } from "../cli.ts";
import { usageError } from "../errors.ts";
import { connect, listFlag, type MeshFlags, meshFlags, valueFlag } from "../flags.ts";
import { printJson } from "../json.ts";
import { parsePublish } from "../publish.ts";
import { readEnv, readLabel, readWords } from "../values.ts";
import { printWarnings, readService, writeSpec } from "./api.ts";
import { changeSpec, type UpdateFlags } from "./change-spec.ts";
import { runFlags, type WaitFlags, waitFlags } from "./run-flags.ts";
import { waitOnService } from "./wait-on-service.ts";

type Flags = MeshFlags & UpdateFlags & WaitFlags & { rollback?: boolean };

const serviceUpdateHelp = `
Examples:
  waggle service update --image web:2 my-web
  waggle service update --publish-add published=8081,target=80 my-web
  waggle service update --publish-rm 80 --publish-add 9090:80 my-web      move the port
  waggle service update --rollback my-web

As in Docker, --publish-rm takes the target port and ignores the published port.`;

export function registerServiceUpdate(parent: Command, cli: Cli): void {
  const command = parent
    .command("update")
    .argument("<service>", "name or ID")
    .summary("update a service")
    .description(
      "Update a service, and wait until it runs. Tasks are replaced only if their specification changes.",
    );
  updateFlags(command, cli);
  waitFlags(runFlags(command, "update"));
  meshFlags(command)
    .addHelpText("after", serviceUpdateHelp)
    .action((ref: string, flags: Flags) => update(cli, command, ref, flags));
}

function updateFlags(command: Command, cli: Cli): void {
  const text = (value: string) => value;
  const flags = [
    valueFlag("--image <image>", "service image tag", text),
    valueFlag("--args <words>", "service command args, quoted as one word", readWords),
    listFlag("--publish-add <port>", "add or update a published port", parsePublish),
    listFlag("--publish-rm <port>", "remove a published port by its target port", parsePublish),
    listFlag("--env-add <key=value>", "add or update an environment variable", (value) => [
      readEnv(value, cli.env),
    ]),
    listFlag("--env-rm <key>", "remove an environment variable", (value) => [value]),
    listFlag("--label-add <key=value>", "add or update a service label", (value) => [readLabel(value)]),
    listFlag("--label-rm <key>", "remove a label by its key", (value) => [value]),
    listFlag("--constraint-add <expression>", "add or update a placement constraint", (value) => [value]),
    listFlag("--constraint-rm <expression>", "remove a constraint", (value) => [value]),
  ];
  for (const flag of flags) command.addOption(flag);
  command
    .option("--force", "force update even if no changes require it")
    .option("--rollback", "roll back to the previous specification");
}

async function update(cli: Cli, command: Command, ref: string, flags: Flags): Promise<void> {
  const mesh = await connect(command, cli);
  const service = await readService(mesh, ref);
  const spec = changeSpec(service.Spec, flags);
  if (flags.rollback && JSON.stringify(spec) !== JSON.stringify(service.Spec)) {
    throw usageError("other flags may not be combined with --rollback");
  }
  const change = await writeSpec(mesh, service, spec, flags.rollback);
  printWarnings(cli, change);
  if (flags.json) printJson(cli.out, await readService(mesh, service.ID));
  else cli.out.write(`${ref}\n`);
  if (!flags.detach) await waitOnService(cli, mesh, service.ID, flags);
}
