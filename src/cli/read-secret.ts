// Reads a secret: from the terminal without showing it, or from standard input.

import { printable } from "../domain/model/printable.ts";
import type { Cli, KeySource } from "./cli.ts";
import { CliError, exitCodes, usageError } from "./errors.ts";

/** A longer text is no token, and could fill the memory. Bytes. */
const maxSecretBytes = 64 * 1024;

/**
 * Asks for a secret on the terminal, or reads all of standard input without one.
 *
 * @throws exit code 130 on Ctrl-C
 */
export async function readSecret({ keys, input, err }: Cli, prompt: string): Promise<string> {
  if (keys?.setRawMode !== undefined) {
    err.write(printable(prompt));
    try {
      return await readKeys(keys);
    } finally {
      err.write("\n");
    }
  }
  let text = "";
  for await (const part of input ?? []) {
    text += Buffer.from(part).toString();
    if (text.length > maxSecretBytes) throw usageError("standard input is too long for a token");
  }
  return text;
}

const ctrlC = "\u0003";
const ctrlD = "\u0004";
const erase = new Set(["\u007f", "\b"]);

/** Reads a line in raw mode, which shows nothing. */
function readKeys(keys: KeySource): Promise<string> {
  keys.setRawMode?.(true);
  keys.resume();
  let text = "";
  return new Promise<string>((resolve, reject) => {
    const end = (settle: () => void): void => {
      keys.off("data", onData);
      keys.setRawMode?.(false);
      keys.pause();
      settle();
    };
    const onData = (bytes: Uint8Array): void => {
      for (const key of Buffer.from(bytes).toString()) {
        if (key === ctrlC) return void end(() => reject(new CliError(exitCodes.interrupted, "")));
        if (key === "\r" || key === "\n" || key === ctrlD) return void end(() => resolve(text));
        text = erase.has(key) ? text.slice(0, -1) : text + key;
      }
    };
    keys.on("data", onData);
  });
}
