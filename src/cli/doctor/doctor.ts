// `waggle doctor`: checks this machine, a mesh and a deployment, and says what to do about each failure.

import { existsSync } from "node:fs";
import type { Command } from "commander";
import type { Cli } from "../cli.ts";
import { deployFileName } from "../deploy/settings.ts";
import { refused } from "../errors.ts";
import { choiceArgument, type MeshFlags, meshFlags, readTargetFlags } from "../flags.ts";
import { printJson } from "../json.ts";
import { printLines } from "../output.ts";
import { type DoctorArea, doctorAreas, type Finding, findingLines } from "./finding.ts";

type Flags = MeshFlags & { readonly config?: string };

const doctorHelp = `
Examples:
  waggle doctor                      this machine, and the mesh if there is one
  waggle doctor machine              before "waggle up" or "waggle agent"
  waggle doctor mesh --context prod
  waggle doctor deploy               after "waggle deploy", in the folder with waggle.deploy.json: all Workers,
                                     secrets, routes and records; else before "wrangler deploy", with wrangler.toml
  waggle doctor --json | jq '.findings[] | select(.result == "fail")'

Ends with 1 if a check fails. WARN is a limit that does not keep a mesh from working.`;

export function registerDoctor(program: Command, cli: Cli): void {
  const command = program
    .command("doctor")
    .addArgument(choiceArgument("[area]", "what to check (default: machine and mesh)", doctorAreas))
    .summary("check this machine, the mesh and a deployment")
    .description(
      "Check this machine, the mesh or a deployment, and say for each failure what to do. Changes nothing.",
    )
    .option(
      "--config <file>",
      `what was deployed, as .json, or a configuration of wrangler (default: ${deployFileName}, else wrangler.toml)`,
    );
  meshFlags(command)
    .addHelpText("after", doctorHelp)
    .action((area: DoctorArea | undefined, flags: Flags) => doctor(cli, command, area, flags));
}

/** Checks a mesh that `waggle deploy` has deployed, or what a configuration of wrangler would deploy. */
async function checkDeployOf(cli: Cli, config?: string): Promise<readonly Finding[]> {
  const file = config ?? (existsSync(deployFileName) ? deployFileName : "wrangler.toml");
  if (file.endsWith(".json")) return (await import("./deployment.ts")).checkDeployment(cli, file);
  return (await import("./deploy.ts")).checkDeploy(cli.env, file);
}

async function doctor(cli: Cli, command: Command, area: DoctorArea | undefined, flags: Flags): Promise<void> {
  const areas = area === undefined ? (["machine", "mesh"] as const) : [area];
  const targetFlags = readTargetFlags(command);
  const checks: Readonly<Record<DoctorArea, () => Promise<readonly Finding[]>>> = {
    machine: async () => (await import("./machine.ts")).checkMachine(cli.env, targetFlags.state),
    mesh: async () => (await import("./mesh.ts")).checkMesh(cli, targetFlags, area === "mesh"),
    deploy: () => checkDeployOf(cli, flags.config),
  };
  const findings: Finding[] = [];
  for (const name of areas) findings.push(...(await checks[name]()));
  const failed = findings.filter(({ result }) => result === "fail").length;
  if (flags.json) printJson(cli.out, { ok: failed === 0, findings });
  else printLines(cli.out, findingLines(findings));
  if (failed > 0) throw refused(`${failed} of ${findings.length} checks failed`);
}
