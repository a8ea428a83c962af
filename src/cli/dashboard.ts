// `waggle dashboard`: a one-time sign-in link to the dashboard.

import type { Command } from "commander";
import { localControlHost } from "../domain/model/control-host.ts";
import { SignInLink } from "../protocol/sign-in-link.ts";
import type { Cli } from "./cli.ts";
import type { MeshClient } from "./client.ts";
import { connect, type MeshFlags, meshFlags } from "./flags.ts";
import { printJson } from "./json.ts";

const dashboardHelp = `
The link of a mesh at a loopback address has the host name control.localhost, which browsers resolve themselves.
In a browser that does not, open the link with 127.0.0.1 in its place.

Examples:
  waggle dashboard
  xdg-open "$(waggle dashboard)"`;

export function registerDashboard(program: Command, cli: Cli): void {
  const command = program
    .command("dashboard")
    .summary("print a link that signs you in to the dashboard")
    .description("Print a link that signs you in to the dashboard. The link works once, within 15 minutes.");
  meshFlags(command)
    .addHelpText("after", dashboardHelp)
    .action(async (flags: MeshFlags) => {
      const mesh = await connect(command, cli);
      const url = await signInUrl(mesh, mesh.target.url);
      if (flags.json) return printJson(cli.out, { url });
      cli.out.write(`${url}\n`);
    });
}

/** Creates a sign-in link to the dashboard of the mesh whose control API is at the URL `control`. */
export async function signInUrl(client: Pick<MeshClient, "postNative">, control: string): Promise<string> {
  const { path } = await client.postNative("/dashboard/sign-in-link", {}, SignInLink);
  return dashboardUrl(control) + path;
}

/** Addresses that a name under `localhost` also leads to; `0.0.0.0` and `[::]` are those of `--listen`. */
const loopbackHosts: readonly string[] = ["127.0.0.1", "localhost", "[::1]", "0.0.0.0", "[::]"];

/**
 * The URL under which a browser opens the dashboard. At a loopback address it has a host name of its own,
 * which no service shares. A certificate for an address would not match that name, so HTTPS keeps the address.
 *
 * @see docs/decisions/0058-sessions.md
 */
function dashboardUrl(control: string): string {
  const { protocol, hostname } = new URL(control);
  if (protocol !== "http:" || !loopbackHosts.includes(hostname)) return control;
  return control.replace(hostname, localControlHost);
}
