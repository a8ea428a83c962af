// `waggle down`: stops the mesh that `waggle up` runs on this machine.

import { resolve } from "node:path";
import type { Command } from "commander";
import type { Cli } from "./cli.ts";
import { localContext } from "./context/contexts.ts";
import { loadContexts } from "./context/store.ts";
import { parseDurationMs } from "./duration.ts";
import { refused } from "./errors.ts";
import { readTargetFlags, valueFlag, warnings } from "./flags.ts";
import { printJson } from "./json.ts";
import { defaultStateDir } from "./mesh-target.ts";

/** The agents, and the tasks of each, may take their grace periods. */
const defaultDownTimeoutMs = 60_000;

type Flags = { readonly timeout: number; readonly json?: boolean };

const downHelp = `
Examples:
  waggle down                        the mesh of this folder, else the one that "waggle up" runs
  waggle down --state /var/lib/mesh

It stops as on Ctrl-C: published ports, tasks and agents, then the registry. The next "waggle up" restores the
services.`;

export function registerDown(program: Command, cli: Cli): void {
  const command = program
    .command("down")
    .summary("stop the mesh on this machine")
    .description("Stop the mesh that `waggle up` runs on this machine, and wait until it has ended.")
    .option("--state <dir>", `state folder of the mesh (default: ${defaultStateDir})`)
    .addOption(
      valueFlag("--timeout <duration>", "exit with 1 if it has not ended by then", parseDurationMs).default(
        defaultDownTimeoutMs,
        "1m",
      ),
    )
    .option("--json", "format output as JSON")
    .addHelpText("after", downHelp)
    .action((flags: Flags) => down(cli, command, flags));
}

async function down(cli: Cli, command: Command, { timeout, json }: Flags): Promise<void> {
  const { stopMesh } = await import("../local/down.ts");
  const folders = await stateFolders(cli, readTargetFlags(command).state);
  for (const folder of folders) {
    const result = await stopMesh(folder, timeout);
    if (result.kind === "not running") continue;
    if (result.kind === "not permitted")
      throw refused(
        `process ${result.pid} of the mesh in ${folder} belongs to another user`,
        "stop it as that user",
      );
    if (result.kind === "still stopping")
      throw refused(
        `the mesh in ${folder} (process ${result.pid}) has not ended after ${timeout / 1000} s`,
        `it goes on stopping; its output and ${folder}/log say why`,
      );
    const { stopped } = result;
    if (json) return printJson(cli.out, { stateDir: folder, ...stopped });
    const services = stopped.services.length === 0 ? "no service" : `services ${stopped.services.join(", ")}`;
    cli.out.write(
      `Stopped the mesh in ${folder} (process ${stopped.pid}): ${count(stopped.nodes.length, "node")}, ${count(stopped.tasks, "task")}, ${services}\n`,
    );
    const flag = folder === defaultStateDir ? "" : ` --state ${folder}`;
    return void cli.err.write(`"waggle up${flag}" starts it again and restores the services\n`);
  }
  if (json) return printJson(cli.out, { stateDir: null });
  cli.out.write(`No mesh of this machine runs in ${folders.join(" or ")}: nothing to stop\n`);
}

/** The folders that may have the mesh, the first one first. */
async function stateFolders(cli: Cli, given: string | undefined): Promise<readonly string[]> {
  if (given !== undefined) return [given];
  const { contexts } = await loadContexts(cli.env, warnings(cli));
  const known = contexts[localContext]?.stateDir ?? null;
  return known === null || known === resolve(defaultStateDir) ? [defaultStateDir] : [defaultStateDir, known];
}

function count(number: number, noun: string): string {
  return `${number} ${noun}${number === 1 ? "" : "s"}`;
}
