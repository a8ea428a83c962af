// Sends a backup to a mesh, part by part, and commits it.

import { randomBytes } from "node:crypto";
import type { Command } from "commander";
import { printable } from "../../domain/model/printable.ts";
import { contentsText, MeshContents, maxReturnMs, RestoreStarted, sealPart } from "../../protocol/backup.ts";
import type { Cli } from "../cli.ts";
import type { MeshClient } from "../client.ts";
import { confirmName } from "../confirm-name.ts";
import { CliError, exitCodes, usageError } from "../errors.ts";
import { connect, warnings } from "../flags.ts";
import { printJson } from "../json.ts";
import { printLines } from "../output.ts";
import { summaryOf } from "./inspect.ts";
import { knownPassphrase } from "./passphrase.ts";
import { BackupFile } from "./read-file.ts";
import type { RestoreFlags } from "./restore.ts";
import { unreadableText } from "./summary.ts";
import { postTransfer, sealingToken, transferTimeoutMs } from "./write-backup.ts";

export async function sendBackup(
  cli: Cli,
  command: Command,
  path: string,
  flags: RestoreFlags,
): Promise<void> {
  if (path === "-")
    throw usageError("restore reads a file twice, and standard input cannot be", "save it to a file first");
  if (flags.nodesReturn > maxReturnMs)
    throw usageError("--nodes-return is longer than 7 days", "start the agents earlier, and restore then");
  const file = await BackupFile.open(path);
  const open = await file.unlock(await knownPassphrase(cli, flags, path));
  // All of it, before anything is sent.
  const summary = await summaryOf(file, open);
  const mesh = await connect(command, cli, transferTimeoutMs);
  const token = sealingToken(mesh);
  const { step, parts, at } = file.head.header;
  const replace = flags.replace === true;
  const started = await postTransfer(mesh, "/mesh/restore", { step, parts, replace }, RestoreStarted);
  const { id } = started;
  let contents: MeshContents;
  try {
    await confirm(cli, mesh, started, flags);
    const stop = cli.onInterrupt();
    let number = 0;
    for await (const part of file.parts(open)) {
      if (stop.aborted) throw new CliError(exitCodes.interrupted, "");
      const random = randomBytes(32).toString("base64url");
      const place = { transfer: id, number };
      const text = sealPart(part, token, place, random);
      await mesh.putNativeText(`/mesh/restore/${id}/${number}`, text);
      number += 1;
    }
    const { name } = file.head.header.mesh;
    const source = { mesh: name, atMs: Date.parse(at), version: file.head.header.waggle };
    const { seq } = started;
    const commit = { replace, returnMs: flags.nodesReturn, source, ...(seq !== undefined && { seq }) };
    contents = await mesh.postNative(`/mesh/restore/${id}`, commit, MeshContents);
  } finally {
    // If this fails, the mesh deletes the parts by itself.
    await mesh.deleteNative(`/mesh/restore/${id}`).catch(() => {});
  }
  const unreadable = unreadableText(summary.unreadable);
  if (unreadable !== null) warnings(cli)(unreadable);
  if (flags.json)
    return printJson(cli.out, { mesh: started.mesh, at, contents, unreadable: summary.unreadable });
  const untilText = new Date(cli.nowMs() + flags.nodesReturn).toISOString();
  printLines(cli.out, [
    `restored into the mesh ${started.mesh.name} at ${mesh.target.url}: ${contentsText(contents) || "an empty mesh"}, as of ${at}`,
    ...(contents.nodes.length === 0
      ? []
      : [
          "agents connect by themselves if the mesh they know has this URL; start the others again with it (docs/backup.md)",
          `tasks of nodes that have not returned by ${untilText} are replaced on others`,
        ]),
  ]);
}

/** Asks before a mesh that has something is replaced, and names what is lost. */
async function confirm(
  cli: Cli,
  { target }: MeshClient,
  { mesh, contents }: RestoreStarted,
  flags: RestoreFlags,
): Promise<void> {
  const lost = contentsText(contents);
  const unchanged = "nothing was changed";
  if (flags.name !== undefined && flags.name !== mesh.name)
    throw usageError(`the mesh at ${target.url} is ${mesh.name}, not ${flags.name}`, unchanged);
  if (lost === "") return;
  cli.err.write(printable(`This deletes what the mesh ${mesh.name} at ${target.url} has: ${lost}.`));
  cli.err.write("\n");
  await confirmName(cli, flags, { name: mesh.name, verb: "replace", unchanged, otherwise: "" });
}
