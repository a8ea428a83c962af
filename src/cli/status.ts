// `waggle status`: nodes, services, tasks and problems on one screen.

import type { Command } from "commander";
import type { Cli } from "./cli.ts";
import { refused } from "./errors.ts";
import { connect, type MeshFlags, meshFlags } from "./flags.ts";
import { printJson } from "./json.ts";
import { meshStatus } from "./shapes.ts";

type Flags = MeshFlags & { check?: boolean };

const statusHelp = `
Examples:
  waggle status
  waggle status --check > /dev/null || echo unhealthy
  watch waggle status

HEALTH reads as in HAProxy: UP 2/3 turns DOWN after two more failed checks, DOWN 1/2 turns UP after
one more pass.`;

export function registerStatus(program: Command, cli: Cli): void {
  const command = program
    .command("status")
    .summary("show nodes, services, tasks and problems")
    .description(
      "Show the mesh on one screen: nodes, services, tasks with their health, and problems with their causes.",
    )
    .option("--check", "exit with 1 if there are problems");
  meshFlags(command)
    .addHelpText("after", statusHelp)
    .action((flags: Flags) => status(cli, command, flags));
}

async function status(cli: Cli, command: Command, flags: Flags): Promise<void> {
  const mesh = await connect(command, cli);
  const current = await mesh.getNative("/status", meshStatus);
  if (flags.json) printJson(cli.out, current);
  else {
    const { statusScreen } = await import("./status-view.ts");
    cli.out.write(statusScreen(current, mesh.target.url));
  }
  if (flags.check && current.problems.length > 0) throw refused(problemCount(current.problems.length));
}

function problemCount(count: number): string {
  return count === 1 ? "1 problem" : `${count} problems`;
}
