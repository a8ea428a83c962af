// `waggle doctor`: checks this machine, a mesh and a deployment, and says what to do about each failure.

import type { Command } from "commander";
import type { Cli } from "../cli.ts";
import { refused } from "../errors.ts";
import { choiceArgument, type MeshFlags, meshFlags, readTargetFlags } from "../flags.ts";
import { printJson } from "../json.ts";
import { printLines } from "../output.ts";
import { type DoctorArea, doctorAreas, type Finding, findingLines } from "./finding.ts";

type Flags = MeshFlags & { readonly config: string };

const doctorHelp = `
Examples:
  waggle doctor                      this machine, and the mesh if there is one
  waggle doctor machine              before "waggle up" or "waggle agent"
  waggle doctor mesh --context prod
  waggle doctor deploy               before "wrangler deploy", in the folder with wrangler.toml
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
    .option("--config <file>", "configuration of wrangler, for the deployment", "wrangler.toml");
  meshFlags(command)
    .addHelpText("after", doctorHelp)
    .action((area: DoctorArea | undefined, flags: Flags) => doctor(cli, command, area, flags));
}

async function doctor(cli: Cli, command: Command, area: DoctorArea | undefined, flags: Flags): Promise<void> {
  const areas = area === undefined ? (["machine", "mesh"] as const) : [area];
  const targetFlags = readTargetFlags(command);
  const checks: Readonly<Record<DoctorArea, () => Promise<readonly Finding[]>>> = {
    machine: async () => (await import("./machine.ts")).checkMachine(cli.env, targetFlags.state),
    mesh: async () => (await import("./mesh.ts")).checkMesh(cli, targetFlags, area === "mesh"),
    deploy: async () => (await import("./deploy.ts")).checkDeploy(cli.env, flags.config),
  };
  const findings: Finding[] = [];
  for (const name of areas) findings.push(...(await checks[name]()));
  const failed = findings.filter(({ result }) => result === "fail").length;
  if (flags.json) printJson(cli.out, { ok: failed === 0, findings });
  else printLines(cli.out, findingLines(findings));
  if (failed > 0) throw refused(`${failed} of ${findings.length} checks failed`);
}
