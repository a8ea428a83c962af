// Finds the URL and the token of the mesh: from flags, the environment, a context, or a state folder.

import { readFile } from "node:fs/promises";
import { join } from "node:path";
import { readFailure } from "../os/files.ts";
import { type Context, type Contexts, contextNamed, localContext } from "./context/contexts.ts";
import { loadContexts } from "./context/store.ts";
import { CliError, exitCodes, usageError } from "./errors.ts";
import { parseJson } from "./json.ts";

/** The control API of one mesh. */
export type MeshTarget = {
  /** Without a trailing slash: `http://127.0.0.1:8787`. */
  readonly url: string;
  /** Null if no token was given. */
  readonly token: string | null;
  /** Origin of the URL, for messages: `--host`, `WAGGLE_URL`, `context prod`, `.waggle/mesh.json`. */
  readonly source: string;
  /** The state folder of the mesh, if it runs on this machine. */
  readonly stateDir?: string;
  /** The name of the context that it is from. */
  readonly context?: string;
  /** True if requests go through a proxy. */
  readonly isProxied?: boolean;
  /** What to say when it is unreachable: that a proxy was used; else empty. */
  readonly advice?: string;
};

export type TargetFlags = {
  readonly host?: string | undefined;
  readonly context?: string | undefined;
  readonly tokenFile?: string | undefined;
  readonly state?: string | undefined;
};

type Environment = Readonly<Record<string, string | undefined>>;

/** The default state folder of `waggle up`. */
export const defaultStateDir = ".waggle";

/** Where a command's mesh is from. */
export type TargetSource =
  | { readonly kind: "url"; readonly url: string; readonly from: string }
  | { readonly kind: "context"; readonly name: string; readonly from: string }
  /** The context in use, else `.waggle`, else the context of `waggle up`. */
  | { readonly kind: "default" }
  | { readonly kind: "state"; readonly stateDir: string };

/**
 * Decides which source a command takes: a flag, else the environment, else the context in use or a state folder.
 *
 * @throws a usage error if two sources of the same rank differ
 */
export function targetSource({ host, context, state }: TargetFlags, env: Environment): TargetSource {
  if (host !== undefined && context !== undefined)
    throw usageError("--host and --context both name a mesh", "give one of them");
  if (host !== undefined) return { kind: "url", url: parseHost(host), from: "--host" };
  if (context !== undefined) return { kind: "context", name: context, from: "--context" };
  const { WAGGLE_URL: url = "", WAGGLE_HOST: alias = "", WAGGLE_CONTEXT: name = "" } = env;
  if (url !== "" && alias !== "" && parseHost(url) !== parseHost(alias))
    throw usageError(
      "WAGGLE_URL and WAGGLE_HOST name different meshes",
      "unset one of them: they mean the same",
    );
  if (url !== "") return { kind: "url", url: parseHost(url), from: "WAGGLE_URL" };
  if (alias !== "") return { kind: "url", url: parseHost(alias), from: "WAGGLE_HOST" };
  if (state !== undefined) return { kind: "state", stateDir: state };
  if (name !== "") return { kind: "context", name, from: "WAGGLE_CONTEXT" };
  return { kind: "default" };
}

/**
 * Finds the mesh of a command. A stored token is used only for the URL that it is stored with.
 *
 * @param warn receives warnings about the file of the contexts
 * @throws exit code 3 if no source names a mesh, 2 if a source cannot be read, 1 if a context does not exist
 */
export async function findTarget(
  flags: TargetFlags,
  env: Environment,
  warn: (text: string) => void = () => {},
): Promise<MeshTarget> {
  const source = targetSource(flags, env);
  const token = await readToken(flags, env);
  switch (source.kind) {
    case "url":
      return await targetAt(source, token, flags.state ?? defaultStateDir);
    case "state":
      return (await targetIn(source.stateDir, token)) ?? noMesh(join(source.stateDir, "mesh.json"));
    case "context":
      return await targetOf(source.name, contextNamed(await loadContexts(env, warn), source.name), token);
    case "default":
      return await defaultTarget(env, token, warn);
  }
}

async function targetAt(
  { url, from }: { readonly url: string; readonly from: string },
  token: string | null,
  stateDir: string,
): Promise<MeshTarget> {
  // The file is optional here: an error in it must not stop a command for another mesh.
  const local = await readMeshFile(join(stateDir, "mesh.json")).catch(() => null);
  if (local?.control !== url) return { url, token, source: from };
  return { url, token: token ?? local.token, source: from, stateDir };
}

/** The mesh of a state folder; null if it has none. */
async function targetIn(stateDir: string, token: string | null): Promise<MeshTarget | null> {
  const source = join(stateDir, "mesh.json");
  const local = await readMeshFile(source);
  return local && { url: local.control, token: token ?? local.token, source, stateDir };
}

async function targetOf(name: string, context: Context, token: string | null): Promise<MeshTarget> {
  const source = `context ${name}`;
  if (context.stateDir === null)
    return { url: parseHost(context.url), token: token ?? context.token, source, context: name };
  const local = await targetIn(context.stateDir, token);
  return local === null
    ? noMesh(join(context.stateDir, "mesh.json"), name)
    : { ...local, source, context: name };
}

async function defaultTarget(
  env: Environment,
  token: string | null,
  warn: (text: string) => void,
): Promise<MeshTarget> {
  const all = await loadContexts(env, warn);
  if (all.current !== null) return await targetOf(all.current, contextNamed(all, all.current), token);
  return await targetWithoutContext(all, token);
}

/** The mesh of the folder .waggle, else the one that `waggle up` runs. @throws exit code 3 if there is no such mesh */
export async function targetWithoutContext(all: Contexts, token: string | null): Promise<MeshTarget> {
  const local = await targetIn(defaultStateDir, token);
  if (local !== null) return local;
  const running = all.contexts[localContext];
  const isLeft = running?.stateDir !== null && running !== undefined;
  const found = isLeft ? await targetOf(localContext, running, token).catch(() => null) : null;
  return found ?? noMesh(join(defaultStateDir, "mesh.json"));
}

/** Reads a control URL; Docker's `tcp://` means plain HTTP. */
export function parseHost(text: string): string {
  const address = text.includes("://") ? text.replace(/^tcp:/, "http:") : `http://${text}`;
  const url = URL.canParse(address) ? new URL(address) : null;
  if (url === null || (url.protocol !== "http:" && url.protocol !== "https:") || url.hostname === "") {
    throw usageError(
      `cannot read the mesh's URL "${text}"`,
      "write it as http://127.0.0.1:8787 or https://mesh.example.com",
    );
  }
  return `${url.origin}${url.pathname}`.replace(/(?<!\/)\/+$/, "");
}

async function readMeshFile(path: string): Promise<{ control: string; token: string } | null> {
  const text = await readFile(path, "utf8").catch((error: NodeJS.ErrnoException) => {
    if (error.code === "ENOENT" || error.code === "ENOTDIR") return null;
    throw new CliError(exitCodes.usage, `cannot read ${path}: ${error.message}`);
  });
  if (text === null) return null;
  const value = parseJson(text) as { control?: unknown; token?: unknown } | null;
  if (typeof value?.control !== "string" || typeof value.token !== "string") {
    throw usageError(
      `${path} is not a file that "waggle up" writes`,
      `remove it and run "waggle up" again, or give --host URL`,
    );
  }
  return { control: parseHost(value.control), token: value.token };
}

/** The token of `--token-file`, else of WAGGLE_TOKEN; null without one. @throws a usage error if it is no token */
export async function readToken(
  flags: Pick<TargetFlags, "tokenFile">,
  env: Environment,
): Promise<string | null> {
  const path = flags.tokenFile;
  if (path === undefined) {
    const envToken = env.WAGGLE_TOKEN?.trim() ?? "";
    return envToken === "" ? null : checkToken(envToken, "WAGGLE_TOKEN");
  }
  const text = await readFile(path, "utf8").catch((error: NodeJS.ErrnoException) => {
    throw usageError(`cannot read --token-file ${path}: ${readFailure(error)}`);
  });
  const token = text.trim();
  if (token === "") throw usageError(`--token-file ${path} is empty`, "write the token into it on one line");
  return checkToken(token, `--token-file ${path}`);
}

/** Checks that a token fits into a header. The error does not show the token. */
export function checkToken(token: string, source: string): string {
  if (/^[\x21-\x7e]+$/.test(token)) return token;
  throw usageError(`${source} is not a token: it contains a space or a non-ASCII character`);
}

/** @param context the context that names the folder */
function noMesh(meshFile: string, context?: string): never {
  const reason =
    context === undefined
      ? `${meshFile} does not exist, no context is in use, and neither --host nor WAGGLE_URL is set`
      : `${meshFile} of context ${context} does not exist`;
  throw new CliError(
    exitCodes.unreachable,
    `no mesh found: ${reason}`,
    'start one with "waggle up", or give its URL: --host https://mesh.example.com',
  );
}
