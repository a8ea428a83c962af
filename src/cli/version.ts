// `waggle version`: the version of this command, and of the mesh if it is reachable.

import type { Command } from "commander";
import { programCommit, programVersion, versionText } from "../package/program-files.ts";
import type { Cli } from "./cli.ts";
import { CliError, exitCodes } from "./errors.ts";
import { connect, type MeshFlags, meshFlags } from "./flags.ts";
import { printJson } from "./json.ts";
import { printLines } from "./output.ts";
import { engineVersion } from "./shapes.ts";

/** Short, because the version of the mesh is optional here. Milliseconds. */
const versionTimeoutMs = 2_000;

type MeshVersion = { readonly Version: string; readonly ApiVersion: string };

export function registerVersion(program: Command, cli: Cli): void {
  const command = program
    .command("version")
    .summary("show the version of this command and of the mesh")
    .description("Show the version of this command, and of the mesh if it is reachable.");
  meshFlags(command).action(async (flags: MeshFlags) => {
    const mesh = await fetchMeshVersion(command, cli);
    const client = { version: programVersion(), commit: programCommit(), node: process.versions.node };
    const server = typeof mesh === "string" ? null : mesh;
    if (flags.json) return printJson(cli.out, { client, server });
    printLines(cli.out, [
      `waggle ${versionText()}, Node ${client.node}`,
      typeof mesh === "string" ? `mesh: ${mesh}` : `mesh ${mesh.Version} (Engine API ${mesh.ApiVersion})`,
    ]);
  });
}

/** The mesh's version, or why it is unknown. */
async function fetchMeshVersion(command: Command, cli: Cli): Promise<MeshVersion | string> {
  try {
    return await (await connect(command, cli, versionTimeoutMs)).get("/version", engineVersion);
  } catch (error) {
    if (!(error instanceof CliError) || error.exitCode === exitCodes.usage) throw error;
    return error.message;
  }
}
