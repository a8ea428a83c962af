// The user's file of contexts: names for meshes, with their URLs and tokens.

import { randomUUID } from "node:crypto";
import { readFile, rename, rm, writeFile } from "node:fs/promises";
import { isAbsolute, join } from "node:path";
import type { Cli } from "../cli.ts";
import { parseJson } from "../json.ts";

type ContextEntry = { readonly url: string; readonly token: string | null };

type ContextFile = {
  readonly path: string;
  readonly content: { readonly contexts: Readonly<Record<string, unknown>> };
};

/** The token that the user's context `name` has for `url`; null if it has no token. */
export async function contextToken(env: Cli["env"], name: string, url: string): Promise<string | null> {
  const file = await readContextFile(env);
  const entry = file?.content.contexts[name] as Partial<ContextEntry> | undefined;
  return entry?.url === url && typeof entry.token === "string" ? entry.token : null;
}

/**
 * Stores the operator token in the context `name`, if the user has a file of contexts. A context of this name for
 * another mesh stays.
 *
 * @returns the file's path; null if nothing was stored
 */
export async function storeContextToken(
  env: Cli["env"],
  name: string,
  { url, token }: ContextEntry,
): Promise<string | null> {
  const file = await readContextFile(env);
  if (file === null) return null;
  const old = file.content.contexts[name] as Partial<ContextEntry> | undefined;
  if (old !== undefined && old.url !== url) return null;
  const entry = { stateDir: null, description: "made by waggle deploy", ...old, url, token };
  await replaceContexts(file, { ...file.content.contexts, [name]: entry });
  return file.path;
}

/** Removes the context `name` if it is for `url`. @returns true if it was there */
export async function removeContext(env: Cli["env"], name: string, url: string): Promise<boolean> {
  const file = await readContextFile(env);
  const { [name]: entry, ...others } = file?.content.contexts ?? {};
  if (file === null || (entry as Partial<ContextEntry> | undefined)?.url !== url) return false;
  await replaceContexts(file, others);
  return true;
}

async function replaceContexts(
  { path, content }: ContextFile,
  contexts: Readonly<Record<string, unknown>>,
): Promise<void> {
  const { current } = content as { readonly current?: unknown };
  const isCurrentKept = typeof current === "string" && Object.hasOwn(contexts, current);
  const next = { ...content, current: isCurrentKept ? current : null, contexts };
  const draft = `${path}.${randomUUID()}.new`;
  await writeFile(draft, `${JSON.stringify(next, null, 2)}\n`, { mode: 0o600, flag: "wx" });
  await rename(draft, path).catch(async (error) => {
    await rm(draft, { force: true });
    throw error;
  });
}

/** Null without a file, or if it is not a file of contexts. */
async function readContextFile({
  XDG_CONFIG_HOME: folder = "",
  HOME: home = "",
}: Cli["env"]): Promise<ContextFile | null> {
  const base = isAbsolute(folder) ? folder : isAbsolute(home) ? join(home, ".config") : null;
  if (base === null) return null;
  const path = join(base, "waggle", "contexts.json");
  const text = await readFile(path, "utf8").catch(() => null);
  const content = text === null ? null : (parseJson(text) as Partial<ContextFile["content"]> | null);
  const contexts = content?.contexts;
  return content === null || typeof contexts !== "object"
    ? null
    : { path, content: { ...content, contexts } };
}
