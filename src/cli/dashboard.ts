// `waggle dashboard`: a one-time sign-in link to the dashboard.

import type { Command } from "commander";
import { SignInLink } from "../protocol/sign-in-link.ts";
import type { Cli } from "./cli.ts";
import type { MeshClient } from "./client.ts";
import { connect, type MeshFlags, meshFlags } from "./flags.ts";
import { printJson } from "./json.ts";

export function registerDashboard(program: Command, cli: Cli): void {
  const command = program
    .command("dashboard")
    .summary("print a link that signs you in to the dashboard")
    .description("Print a link that signs you in to the dashboard. The link works once, within 15 minutes.");
  meshFlags(command)
    .addHelpText("after", '\nExamples:\n  waggle dashboard\n  xdg-open "$(waggle dashboard)"')
    .action(async (flags: MeshFlags) => {
      const mesh = await connect(command, cli);
      const url = await signInUrl(mesh, mesh.target.url);
      if (flags.json) return printJson(cli.out, { url });
      cli.out.write(`${url}\n`);
    });
}

/** Creates a sign-in link to the dashboard of the mesh at `origin`. */
export async function signInUrl(client: Pick<MeshClient, "postNative">, origin: string): Promise<string> {
  return origin + SignInLink.parse(await client.postNative("/dashboard/sign-in-link", {})).path;
}
