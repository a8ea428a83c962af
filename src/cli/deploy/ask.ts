// Questions on the terminal, a line each.

import { printable } from "../../domain/model/printable.ts";
import type { Cli } from "../cli.ts";
import { CliError, exitCodes, usageError } from "../errors.ts";

export type Question<T> = {
  /** What is asked for: `the name of the mesh`. */
  readonly what: string;
  /** `--name NAME` */
  readonly flag: string;
  /** What an empty line means; null: it is asked again. */
  readonly fallback: string | null;
  /** @throws CliError, whose message is shown before the question is asked again */
  readonly read: (text: string) => T;
};

/** How answers are found that neither a flag nor the file has. */
export type Asking = { readonly cli: Cli; readonly takesDefaults: boolean };

/**
 * Asks until the answer can be read.
 *
 * @throws exit code 2 with the flag's name if there is no terminal, 130 on the end of the input
 */
export async function ask<T>({ cli, takesDefaults }: Asking, question: Question<T>): Promise<T> {
  const { what, flag, fallback, read } = question;
  if (takesDefaults && fallback !== null) return read(fallback);
  if (cli.keys === undefined || takesDefaults)
    throw usageError(
      `${what} is missing`,
      fallback === null ? `give ${flag}` : `give ${flag}, or --yes for the default, ${fallback}`,
    );
  for (;;) {
    const line = await readLine(cli, `${what}${fallback === null ? "" : ` [${fallback}]`}: `);
    const text = line.trim() === "" ? fallback : line.trim();
    if (text === null) continue;
    try {
      return read(text);
    } catch (error) {
      if (!(error instanceof CliError)) throw error;
      cli.err.write(`${printable(error.message)}${error.hint === "" ? "" : `; ${error.hint}`}\n`);
    }
  }
}

/** Reads a line; the terminal edits it. */
export async function readLine({ keys, err }: Cli, prompt: string): Promise<string> {
  if (keys === undefined) throw new CliError(exitCodes.usage, "there is no terminal to ask on");
  err.write(printable(prompt));
  keys.resume();
  let text = "";
  return await new Promise<string>((resolve, reject) => {
    const onData = (bytes: Uint8Array): void => {
      const part = Buffer.from(bytes).toString();
      text += part;
      const isEnd = part === "" || part.includes("\u0004");
      if (!isEnd && !text.includes("\n") && !text.includes("\r")) return;
      keys.off("data", onData);
      keys.pause();
      if (isEnd) reject(new CliError(exitCodes.interrupted, ""));
      else resolve(text.split(/[\r\n]/, 1)[0] ?? "");
    };
    keys.on("data", onData);
  });
}
