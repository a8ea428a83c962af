// The passphrase of a backup: from a file, the environment, or the terminal. No flag takes it, because flags are
// visible in `ps`.

import { readFile, stat } from "node:fs/promises";
import type { Command } from "commander";
import { readFailure } from "../../os/files.ts";
import type { Cli } from "../cli.ts";
import { usageError } from "../errors.ts";
import { warnings } from "../flags.ts";
import { readSecret } from "../read-secret.ts";

export type PassphraseFlags = { readonly passphraseFile?: string };

const variable = "WAGGLE_PASSPHRASE";
const maxBytes = 4_096;
/** A shorter one is found by guessing. Characters. */
const shortLength = 12;
/** Bits of the group and of others. */
const sharedBits = 0o077;

export function passphraseFlag(command: Command): Command {
  return command.option(
    "--passphrase-file <file>",
    `file with the passphrase (else ${variable}, else asked for)`,
  );
}

/**
 * The passphrase of a file or of the environment; null without one.
 *
 * @throws exit code 2 if it is empty, or its file cannot be read
 */
export async function givenPassphrase(
  cli: Cli,
  { passphraseFile: path }: PassphraseFlags,
): Promise<string | null> {
  if (path === undefined) {
    const { [variable]: text } = cli.env;
    return text === undefined ? null : checked(text, variable);
  }
  const bytes = await readFile(path).catch((error: NodeJS.ErrnoException) => {
    throw usageError(`cannot read --passphrase-file ${path}: ${readFailure(error)}`);
  });
  if (bytes.length > maxBytes)
    throw usageError(
      `--passphrase-file ${path} is too long: it has ${bytes.length} bytes`,
      "the passphrase is one line",
    );
  const { mode } = await stat(path);
  if ((mode & sharedBits) !== 0)
    warnings(cli)(`other users of this machine can read ${path}; run chmod 600 ${path}`);
  return checked(bytes.toString("utf8").replace(/\r?\n$/, ""), `--passphrase-file ${path}`);
}

/** The passphrase of a new backup; on the terminal it is asked for twice. */
export async function newPassphrase(cli: Cli, flags: PassphraseFlags): Promise<string> {
  const passphrase = (await givenPassphrase(cli, flags)) ?? (await askTwice(cli));
  if (passphrase.length < shortLength)
    warnings(cli)(
      `a passphrase of fewer than ${shortLength} characters can be guessed by anyone with the file, which has all secrets`,
    );
  return passphrase;
}

/** The passphrase of a file. */
export async function knownPassphrase(cli: Cli, flags: PassphraseFlags, path: string): Promise<string> {
  const given = await givenPassphrase(cli, flags);
  if (given !== null) return given;
  requireTerminal(cli);
  return checked(await readSecret(cli, `Passphrase of ${path}: `), "the passphrase");
}

async function askTwice(cli: Cli): Promise<string> {
  requireTerminal(cli);
  const first = checked(await readSecret(cli, "Passphrase of the backup: "), "the passphrase");
  if ((await readSecret(cli, "The same again: ")) === first) return first;
  throw usageError("the two passphrases differ", "nothing was written; try again");
}

function requireTerminal(cli: Cli): void {
  if (cli.keys?.setRawMode === undefined)
    throw usageError(
      "no passphrase was given, and there is no terminal to ask on",
      `give --passphrase-file FILE, or set ${variable}`,
    );
}

function checked(passphrase: string, source: string): string {
  if (passphrase.trim() !== "") return passphrase;
  throw usageError(
    `${source} is empty`,
    "a backup has all secrets of the mesh: give a passphrase that is hard to guess",
  );
}
