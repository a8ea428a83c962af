// `waggle task`: lists tasks, and sets the admin state of one.

import type { Command } from "commander";
import type { Cli } from "../cli.ts";
import { usageError } from "../errors.ts";
import { connect, type MeshFlags, meshFlags } from "../flags.ts";
import { printJson } from "../json.ts";
import { adminFlag } from "../server/flags.ts";
import { emptyBody } from "../shapes.ts";
import { registerTaskLs } from "./ls.ts";

const taskSetHelp = `
Examples:
  waggle task set my-web.1 --admin drain    only requests bound to it by a sticky cookie
  waggle task set my-web.1 --admin maint    no requests; the task keeps running
  waggle task set my-web.1 --admin ready

The state belongs to this task: its replacement starts as ready.`;

export function registerTask(program: Command, cli: Cli): void {
  const task = program
    .command("task")
    .enablePositionalOptions()
    .summary("manage tasks")
    .description("Manage tasks: single runs of a service.");
  registerTaskLs(task, cli);
  const command = task
    .command("set")
    .argument("<task>", "name (my-web.1) or ID")
    .summary("set the admin state of a task")
    .description("Set the admin state of a task: whether it gets requests. The task keeps running.")
    .addOption(adminFlag());
  meshFlags(command)
    .addHelpText("after", taskSetHelp)
    .action(async (ref: string, flags: MeshFlags & { readonly admin?: string }) => {
      if (flags.admin === undefined) throw usageError("nothing to change", "name a state: --admin drain");
      const mesh = await connect(command, cli);
      await mesh.postNative("/mesh/admin", { kind: "task", ref, state: flags.admin }, emptyBody);
      if (flags.json) printJson(cli.out, { task: ref, state: flags.admin });
      else cli.out.write(`${ref}\n`);
    });
}
