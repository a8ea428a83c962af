// Where the contexts of a user are stored: contexts.json in the folder of the XDG base directories.

import { isAbsolute, join } from "node:path";
import { refused } from "../errors.ts";
import { changePrivateFile, readPrivateFile } from "../private-file.ts";
import { type Contexts, noContexts, printContexts, readContexts } from "./contexts.ts";

type Environment = Readonly<Record<string, string | undefined>>;

/**
 * The path of the file; null without a home folder.
 *
 * @see https://specifications.freedesktop.org/basedir-spec/latest/ (a relative path is ignored)
 */
export function contextsPath({ XDG_CONFIG_HOME: folder = "", HOME: home = "" }: Environment): string | null {
  if (isAbsolute(folder)) return join(folder, "waggle", "contexts.json");
  return isAbsolute(home) ? join(home, ".config", "waggle", "contexts.json") : null;
}

/** Reads the contexts of a user, who may have none. @param warn receives warnings about the file */
export async function loadContexts(env: Environment, warn: (text: string) => void): Promise<Contexts> {
  const path = contextsPath(env);
  const text = path === null ? null : await readPrivateFile(path, warn);
  return path === null || text === null ? noContexts : readContexts(text, path);
}

/** Changes the contexts of a user. @throws CliError if they cannot be stored */
export async function changeContexts(
  env: Environment,
  warn: (text: string) => void,
  change: (contexts: Contexts) => Contexts,
): Promise<void> {
  const path = contextsPath(env);
  if (path === null)
    throw refused(
      "cannot store contexts: neither HOME nor XDG_CONFIG_HOME is set",
      "set one of them to a folder",
    );
  await changePrivateFile(path, warn, (text) =>
    printContexts(change(text === null ? noContexts : readContexts(text, path))),
  );
}
