// `waggle restore`: puts a backup into a mesh.

import type { Command } from "commander";
import type { Cli } from "../cli.ts";
import { parseDurationMs } from "../duration.ts";
import { type MeshFlags, meshFlags, valueFlag } from "../flags.ts";
import { type PassphraseFlags, passphraseFlag } from "./passphrase.ts";

export type RestoreFlags = MeshFlags &
  PassphraseFlags & {
    readonly replace?: boolean;
    readonly yes?: boolean;
    readonly name?: string;
    readonly nodesReturn: number;
  };

const defaultReturnMs = 600_000;

const restoreHelp = `
The mesh must be new: no nodes, services, static servers, networks, secrets or configs. With --replace all of it is
deleted first. The file is read to its end before anything is sent, and the mesh changes at once or not at all.

Agents of the backed-up mesh connect by themselves if the new one has the same URL. For another URL, start each agent
again with it and with its state folder: docs/backup.md. Tasks keep running, and are taken over.

Examples:
  waggle restore mesh.backup
  waggle restore --nodes-return 2h mesh.backup   agents are started one after the other
  waggle restore --replace mesh.backup           asks for the mesh's name
  waggle restore --replace --yes --name waggle --passphrase-file key mesh.backup`;

export function registerRestore(program: Command, cli: Cli): void {
  const command = program
    .command("restore")
    .argument("<file>", "path of a file that waggle backup has written")
    .summary("restore a backup into a new mesh")
    .description("Restore a backup into a new mesh, or in place of all that a mesh has.")
    .option("--replace", "delete what the mesh has, after confirmation")
    .option("--name <name>", "name of the mesh, as confirmation")
    .option("-y, --yes", "ask nothing; needs --name if the mesh is not empty")
    .addOption(
      valueFlag(
        "--nodes-return <duration>",
        "how long nodes may take to return before their tasks are replaced",
        parseDurationMs,
      ).default(defaultReturnMs, "10m"),
    );
  passphraseFlag(meshFlags(command))
    .addHelpText("after", restoreHelp)
    .action(async (file: string, flags: RestoreFlags) =>
      (await import("./send-backup.ts")).sendBackup(cli, command, file, flags),
    );
}
