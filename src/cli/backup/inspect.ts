// Shows what a backup says of itself, and with the passphrase what it has.

import { readPart } from "../../protocol/backup.ts";
import type { Cli } from "../cli.ts";
import { refused, usageError } from "../errors.ts";
import { printJson } from "../json.ts";
import { printLines } from "../output.ts";
import type { BackupFlags } from "./backup.ts";
import type { OpenLine } from "./file-format.ts";
import { givenPassphrase } from "./passphrase.ts";
import { BackupFile } from "./read-file.ts";
import { BackupSummary, unreadableText } from "./summary.ts";

export async function inspectBackup(cli: Cli, path: string | undefined, flags: BackupFlags): Promise<void> {
  if (path === undefined || path === "-") throw usageError("--inspect needs the path of a file");
  const file = await BackupFile.open(path);
  const { mesh, at, waggle, step, parts } = file.head.header;
  const passphrase = await givenPassphrase(cli, flags);
  const summary = passphrase === null ? null : await summaryOf(file, await file.unlock(passphrase));
  // Without the passphrase the file is read for its length.
  if (summary === null) for await (const _ of file.lines());
  const contents = summary && { ...summary.contents, tasks: summary.tasks, events: summary.events };
  if (flags.json)
    return printJson(cli.out, {
      mesh,
      at,
      waggle,
      step,
      parts,
      contents,
      unreadable: summary?.unreadable ?? null,
    });
  const unreadable = summary === null ? null : unreadableText(summary.unreadable);
  printLines(cli.out, [
    `backup of the mesh ${mesh.name} (${mesh.id})`,
    `taken     ${at}`,
    `release   waggle ${waggle}, tables of step ${step}`,
    `parts     ${parts}, all there`,
    summary === null
      ? "contents  sealed: give --passphrase-file FILE, or set WAGGLE_PASSPHRASE"
      : `contents  ${summary.text}`,
    ...(unreadable === null ? [] : [`lost      ${unreadable}`]),
  ]);
}

/** Reads all of a file. @throws CliError if it was changed */
export async function summaryOf(file: BackupFile, open: OpenLine): Promise<BackupSummary> {
  const summary = new BackupSummary();
  for await (const part of file.parts(open)) {
    const rows = readPart(part);
    if (rows === null)
      throw refused(
        `${file.path} has a part that cannot be read`,
        "use the release that wrote it, or a later one",
      );
    summary.add(rows);
  }
  return summary;
}
