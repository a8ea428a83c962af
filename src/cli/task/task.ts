// `waggle task`: what an operator does to one task.

import type { Command } from "commander";
import type { Cli } from "../cli.ts";
import { usageError } from "../errors.ts";
import { connect, type MeshFlags, meshFlags } from "../flags.ts";
import { printJson } from "../json.ts";
import { adminFlag } from "../server/flags.ts";

const taskSetHelp = `
Examples:
  waggle task set my-web.1 --admin drain    no new requests, but those bound to it by a cookie
  waggle task set my-web.1 --admin maint    none at all; it runs on
  waggle task set my-web.1 --admin ready

It is the task's: one that takes its place gets requests.`;

export function registerTask(program: Command, cli: Cli): void {
  const task = program
    .command("task")
    .enablePositionalOptions()
    .summary("take a task out of traffic, and back")
    .description("Tasks: single runs of a service. `waggle service ps` lists them.");
  const command = task
    .command("set")
    .argument("<task>", "name (my-web.1) or id")
    .summary("drain a task, or bring it back")
    .description("Say whether a task gets requests. It goes on running.")
    .addOption(adminFlag("it"));
  meshFlags(command)
    .addHelpText("after", taskSetHelp)
    .action(async (ref: string, flags: MeshFlags & { readonly admin?: string }) => {
      if (flags.admin === undefined) throw usageError("nothing to change", "name a state: --admin drain");
      const mesh = await connect(command, cli);
      await mesh.postNative("/mesh/admin", { kind: "task", ref, state: flags.admin });
      if (flags.json) printJson(cli.out, { task: ref, state: flags.admin });
      else cli.out.write(`${ref}\n`);
    });
}
