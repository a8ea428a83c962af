// Fetches a backup from a mesh, part by part, and writes it sealed with the passphrase.

import type { Command } from "commander";
import { z } from "zod";
import { BackupStarted, openPart, readPart } from "../../protocol/backup.ts";
import type { Cli } from "../cli.ts";
import type { MeshClient } from "../client.ts";
import { CliError, exitCodes, refused, usageError } from "../errors.ts";
import { connect, warnings } from "../flags.ts";
import { printJson } from "../json.ts";
import { engineVersion, type Shape } from "../shapes.ts";
import type { BackupFlags } from "./backup.ts";
import { newFile } from "./file-format.ts";
import { newPassphrase } from "./passphrase.ts";
import { BackupSummary, sizeText, unreadableText } from "./summary.ts";
import { checkPlace, type DraftFile, draftFile, standardOutput } from "./write-file.ts";

const meshInfo = z.looseObject({ Name: z.string() });

/** A large registry reads its rows for seconds. Milliseconds. */
export const transferTimeoutMs = 120_000;

export async function writeBackup(
  cli: Cli,
  command: Command,
  path: string | undefined,
  flags: BackupFlags,
): Promise<void> {
  if (path === "-" && cli.out.isTTY)
    throw usageError("a backup is not for a terminal", "name a file, or send standard output to one");
  const mesh = await connect(command, cli, transferTimeoutMs);
  const token = sealingToken(mesh);
  const { Version } = await mesh.get("/version", engineVersion);
  const named = path ?? (await defaultName(cli, mesh));
  if (named !== "-") await checkPlace(named, flags.force === true);
  // Before the draft: until it is asked for, a signal ends the process at once.
  const passphrase = await newPassphrase(cli, flags);
  const stop = cli.onInterrupt();
  const place = named === "-" ? standardOutput(cli) : await draftFile(named, flags.force === true);
  try {
    const fetch = { token, passphrase, version: Version, stop };
    const { bytes, started, summary } = await orInterrupted(stop, () => fetchParts(mesh, place, fetch));
    await place.finish();
    const unreadable = unreadableText(summary.unreadable);
    if (unreadable !== null) warnings(cli)(unreadable);
    const { contents, tasks, events } = summary;
    const at = new Date(started.atMs).toISOString();
    if (flags.json) {
      const json = { file: named, bytes, mesh: started.mesh, at, contents, tasks, events };
      return printJson(named === "-" ? cli.err : cli.out, { ...json, unreadable: summary.unreadable });
    }
    const out = named === "-" ? cli.err : cli.out;
    out.write(`backup of the mesh ${started.mesh.name} of ${at}: ${summary.text}\n`);
    if (named !== "-")
      out.write(`${named}: ${sizeText(bytes)}, for its owner only; keep the passphrase elsewhere\n`);
  } finally {
    await place.discard();
  }
}

type Fetch = {
  readonly token: string;
  readonly passphrase: string;
  /** The release of the mesh. */
  readonly version: string;
  readonly stop: AbortSignal;
};

type Fetched = {
  readonly bytes: number;
  readonly started: BackupStarted;
  readonly summary: BackupSummary;
};

async function fetchParts(
  mesh: MeshClient,
  place: DraftFile,
  { token, passphrase, version, stop }: Fetch,
): Promise<Fetched> {
  const started = await postTransfer(mesh, "/mesh/backup", {}, BackupStarted);
  const { id, parts, step } = started;
  try {
    const at = new Date(started.atMs).toISOString();
    const file = await newFile(passphrase, { mesh: started.mesh, at, waggle: version, step, parts });
    const summary = new BackupSummary();
    let bytes = 0;
    const write = async (text: string) => {
      await place.write(text);
      bytes += Buffer.byteLength(text);
    };
    await write(file.head.text);
    for (let number = 0; number < parts; number += 1) {
      if (stop.aborted) throw new CliError(exitCodes.interrupted, "");
      const text = await mesh.getNativeText(`/backup/${id}/${number}`);
      const part = openPart(text, token, { transfer: id, number });
      const rows = part === null ? null : readPart(part);
      if (part === null || rows === null) throw unopened(number, parts);
      summary.add(rows);
      await write(file.seal(number, part));
    }
    return { bytes, started, summary };
  } finally {
    // If this fails, the mesh deletes the parts by itself.
    await mesh.deleteNative(`/mesh/backup/${id}`).catch(() => {});
  }
}

/**
 * The operator token, under which parts travel. Requests may need none: of a client with a certificate, or through a
 * Unix socket.
 *
 * @throws CliError if the command has none
 */
export function sealingToken({ target }: MeshClient): string {
  if (target.token !== null && target.token !== "") return target.token;
  throw new CliError(
    exitCodes.token,
    `a backup travels sealed with the operator token of the mesh at ${target.url}, and this command has none`,
    "give the operator token with WAGGLE_TOKEN=… or --token-file FILE; nothing was sent",
  );
}

/** The outcome of the work, or exit code 130 as soon as the signal aborts; the work then ends by itself. */
async function orInterrupted<T>(stop: AbortSignal, work: () => Promise<T>): Promise<T> {
  const interrupted = new CliError(exitCodes.interrupted, "");
  if (stop.aborted) throw interrupted;
  const aborted = new Promise<never>((_, reject) => {
    stop.addEventListener("abort", () => reject(interrupted), { once: true });
  });
  return await Promise.race([work(), aborted]);
}

/** Posts to one of the routes of backups, which earlier releases and Docker's daemon do not have. */
export async function postTransfer<T>(
  mesh: MeshClient,
  route: "/mesh/backup" | "/mesh/restore",
  body: object,
  shape: Shape<T>,
): Promise<T> {
  try {
    return await mesh.postNative(route, body, shape);
  } catch (error) {
    if (!(error instanceof CliError) || error.message !== "page not found") throw error;
    throw refused(
      `the server at ${mesh.target.url} knows no backups: it has no route ${route}`,
      'it is a mesh of an earlier release, to be upgraded first, or a Docker daemon; "waggle version" shows which',
    );
  }
}

function unopened(number: number, parts: number): CliError {
  return refused(
    `part ${number + 1} of ${parts} does not open with the operator token of this command`,
    "the mesh seals backups with its secret OPERATOR_TOKEN: give that one with WAGGLE_TOKEN, and set the same in all Workers of the mesh",
  );
}

/** `waggle-2026-11-29T02-30-00Z.backup`. */
async function defaultName(cli: Cli, mesh: MeshClient): Promise<string> {
  const { Name } = await mesh.get("/info", meshInfo);
  const time = new Date(cli.nowMs())
    .toISOString()
    .replace(/\.\d+Z$/, "Z")
    .replaceAll(":", "-");
  return `${(Name || "waggle").replaceAll(/[^A-Za-z0-9._-]/g, "-")}-${time}.backup`;
}
