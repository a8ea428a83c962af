// Questions on the terminal, a line each.

import { printable } from "../domain/model/printable.ts";
import type { Cli } from "./cli.ts";
import { CliError, exitCodes, usageError } from "./errors.ts";

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

/** Reads a line; the terminal edits it. @throws exit code 130 on the end of the input, which Ctrl-D is */
export async function readLine({ keys, err }: Cli, prompt: string): Promise<string> {
  if (keys === undefined) throw new CliError(exitCodes.usage, "there is no terminal to ask on");
  err.write(printable(prompt));
  let text = "";
  return await new Promise<string>((resolve, reject) => {
    const end = (settle: () => void): void => {
      keys.off("data", onData);
      keys.off("end", onEnd);
      keys.pause();
      settle();
    };
    const onData = (bytes: Uint8Array): void => {
      text += Buffer.from(bytes).toString();
      const [line, ...others] = text.split(/[\r\n]/);
      if (others.length > 0) end(() => resolve(line ?? ""));
    };
    const onEnd = (): void =>
      end(() => {
        // The cursor is behind the prompt.
        err.write("\n");
        reject(new CliError(exitCodes.interrupted, ""));
      });
    keys.on("data", onData);
    keys.on("end", onEnd);
    keys.resume();
  });
}
