// `waggle backup`: writes the registry to a file that is sealed with a passphrase, or shows what is in one.

import type { Command } from "commander";
import type { Cli } from "../cli.ts";
import { type MeshFlags, meshFlags } from "../flags.ts";
import { type PassphraseFlags, passphraseFlag } from "./passphrase.ts";

export type BackupFlags = MeshFlags &
  PassphraseFlags & { readonly force?: boolean; readonly inspect?: boolean };

const backupHelp = `
The file has all of the mesh but its traffic: services, nodes and their credentials, networks, secrets, configs,
static servers, join tokens, keys, tasks and events. With its passphrase it gives full access to the mesh: store the
two apart. It can be restored in another account or on a machine of your own (waggle restore --help).

Examples:
  waggle backup                                  write NAME-TIME.backup; asks for a passphrase
  waggle backup --passphrase-file key /backups/mesh.backup
  waggle backup --passphrase-file key - | ssh backups 'cat > mesh.backup'
  waggle backup --inspect mesh.backup            what the file says of itself; with a passphrase, what it has`;

export function registerBackup(program: Command, cli: Cli): void {
  const command = program
    .command("backup")
    .argument("[file]", "path of the file; - writes to standard output (default: NAME-TIME.backup)")
    .summary("write the registry to a sealed file")
    .description(
      "Write the registry, with all that a mesh needs to go on, to a file sealed with a passphrase.",
    )
    .option("--force", "overwrite a file that exists")
    .option("--inspect", "show what is in a file, and change nothing");
  passphraseFlag(meshFlags(command))
    .addHelpText("after", backupHelp)
    .action(async (file: string | undefined, flags: BackupFlags) => {
      if (flags.inspect) return (await import("./inspect.ts")).inspectBackup(cli, file, flags);
      return (await import("./write-backup.ts")).writeBackup(cli, command, file, flags);
    });
}
