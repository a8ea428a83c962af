// The verb `waggle destroy`; deploy/destroy.ts carries it out.

import type { Command } from "commander";
import type { Cli } from "./cli.ts";
import type { DestroyFlags } from "./deploy/destroy.ts";
import { deployFileName } from "./deploy/settings.ts";

const destroyHelp = `
Only what deploy has made is deleted: DNS records with its mark, routes that did not exist before, and its
Workers, the one with the registry last.
Records and routes that others made or have changed stay, and are listed. Agents stop finding their mesh; their tasks
run until the agents stop.

Examples:
  waggle destroy --dry-run
  waggle destroy
  waggle destroy --yes --name waggle`;

export function registerDestroy(program: Command, cli: Cli): void {
  program
    .command("destroy")
    .summary("delete the mesh from Cloudflare")
    .description("Delete the mesh from Cloudflare, with its registry: its services, nodes and secrets.")
    .option("--config <file>", "file that deploy has written", deployFileName)
    .option("--name <name>", "name of the mesh, as confirmation")
    .option("--dry-run", "only print what would be deleted")
    .option("-y, --yes", "ask nothing; needs --name")
    .addHelpText("after", destroyHelp)
    .action(async (flags: DestroyFlags) => (await import("./deploy/destroy.ts")).destroy(cli, flags));
}
