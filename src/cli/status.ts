// `waggle status`: one screen of what runs where, and what is wrong.

import type { Command } from "commander";
import type { MeshStatus } from "../protocol/status.ts";
import type { Cli } from "./cli.ts";
import { closedPortProblems } from "./closed-ports.ts";
import { refused } from "./errors.ts";
import { connect, type MeshFlags, meshFlags } from "./flags.ts";
import { printJson } from "./json.ts";

type Flags = MeshFlags & { check?: boolean };

const statusHelp = `
Examples:
  waggle status
  waggle status --check > /dev/null || echo trouble
  watch waggle status

HEALTH reads as in HAProxy: UP 2/3 is up and two more failed checks from DOWN; DOWN 1/2 needs one more pass.`;

export function registerStatus(program: Command, cli: Cli): void {
  const command = program
    .command("status")
    .summary("show what runs where, and what is wrong and why")
    .description(
      "Show the mesh on one screen: nodes, services, tasks with their health, and what is wrong and why.",
    )
    .option("--check", "exit with 1 when anything is wrong");
  meshFlags(command)
    .addHelpText("after", statusHelp)
    .action(async (flags: Flags) => {
      const mesh = await connect(command, cli);
      const { stateDir } = mesh.target;
      const here = stateDir === undefined ? [] : await closedPortProblems(stateDir);
      const known = await mesh.getNative<MeshStatus>("/status");
      const status = { ...known, problems: [...known.problems, ...here] };
      if (flags.json) printJson(cli.out, status);
      else {
        const { statusScreen } = await import("./status-view.ts");
        cli.out.write(statusScreen(status, mesh.target.url));
      }
      if (flags.check && status.problems.length > 0) throw refused(problemCount(status.problems.length));
    });
}

function problemCount(count: number): string {
  return count === 1 ? "1 problem" : `${count} problems`;
}
