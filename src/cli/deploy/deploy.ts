// The verb `waggle deploy`; run.ts carries it out.

import type { Command } from "commander";
import type { Cli } from "../cli.ts";
import { parseDurationMs } from "../duration.ts";
import { choiceFlag, valueFlag } from "../flags.ts";
import { deployForms } from "./mesh-workers.ts";
import type { DeployFlags } from "./run.ts";
import {
  deployFileName,
  noZone,
  readAccountId,
  readDomainName,
  readMeshName,
  registryLocations,
} from "./settings.ts";
import { tokenPermissions } from "./token-permissions.ts";

const deployHelp = `
The API token is CLOUDFLARE_API_TOKEN. It needs the permissions
${Object.values(tokenPermissions)
  .map((permission) => `  ${permission}`)
  .join("\n")}
Without a zone the first two are enough.

Answers are kept in ${deployFileName}, which has no secrets. Run again, it deploys what the release of this package
changes, and creates what is missing: also after a deployment that failed halfway. In the form split (the default) the
objects, the control API, the edge and the ingress are Workers of their own: a Worker that is unchanged keeps running,
so that only a release that changes the objects restarts the registry. A mesh keeps its form.

Examples:
  waggle deploy
  waggle deploy --dry-run
  waggle deploy --yes --zone example.com --location weur --plan paid`;

const defaultWaitMs = 180_000;

export function registerDeploy(program: Command, cli: Cli): void {
  program
    .command("deploy")
    .summary("deploy the mesh to Cloudflare, or upgrade it")
    .description(
      "Deploy the mesh to Cloudflare: its Workers, secrets, DNS records and routes. On a mesh that exists it deploys this release, and creates what is missing.",
    )
    .addOption(
      valueFlag("--account <id>", "id of the account (default: the only one of the token)", readAccountId),
    )
    .addOption(
      valueFlag(
        "--name <name>",
        "name of the mesh, with which its Workers' names begin (default: waggle)",
        readMeshName,
      ),
    )
    .addOption(choiceFlag("--form <form>", "one Worker, or one for each part", deployForms))
    .addOption(
      valueFlag("--zone <zone>", `zone of the mesh's names, or ${noZone} for workers.dev`, (text) =>
        text === noZone ? text : readDomainName(text),
      ),
    )
    .addOption(
      valueFlag("--domain <domain>", "services are at NAME.DOMAIN (default: the zone)", readDomainName),
    )
    .addOption(
      valueFlag("--control-host <host>", "host name of the control API (default: MESH.ZONE)", readDomainName),
    )
    .addOption(choiceFlag("--location <hint>", "where the registry lives, for good", registryLocations))
    .addOption(choiceFlag("--plan <plan>", "plan of Workers", ["free", "paid"]))
    .option("--config <file>", "file with the answers", deployFileName)
    .option("--new-tokens", "replace the operator's and the viewer's token")
    .option("--downgrade", "deploy this release over a newer one (docs/rollback.md)")
    .option("--dry-run", "only print the plan")
    .option("-y, --yes", "ask nothing: take defaults, and go on")
    .addOption(
      valueFlag("--wait <duration>", "how long to wait for names and certificates", parseDurationMs).default(
        defaultWaitMs,
        "3m",
      ),
    )
    .addHelpText("after", deployHelp)
    .action(async (flags: DeployFlags) => {
      const { deploy, deployTools } = await import("./run.ts");
      await deploy(cli, flags, deployTools(cli));
    });
}
