// Finds the URL and the token of the mesh: from flags, else the environment, else the state folder.

import { readFile } from "node:fs/promises";
import { join } from "node:path";
import { CliError, exitCodes, usageError } from "./errors.ts";
import { parseJson } from "./json.ts";

/** The control API of one mesh. */
export type MeshTarget = {
  /** Without a trailing slash: `http://127.0.0.1:8787`. */
  readonly url: string;
  /** Null if no token was given. */
  readonly token: string | null;
  /** Origin of the URL, for messages: `--host`, `WAGGLE_HOST`, `.waggle/mesh.json`. */
  readonly source: string;
  /** The state folder of the mesh, if it runs on this machine. */
  readonly stateDir?: string;
};

export type TargetFlags = {
  readonly host?: string | undefined;
  readonly tokenFile?: string | undefined;
  readonly state?: string | undefined;
};

/** The default state folder of `waggle up`. */
export const defaultStateDir = ".waggle";

/**
 * Finds the mesh of a command. The token in mesh.json is used only for the URL in the same file.
 *
 * @throws exit code 3 if no source names a mesh, 2 if a source cannot be read
 */
export async function findTarget(
  flags: TargetFlags,
  env: Readonly<Record<string, string | undefined>>,
): Promise<MeshTarget> {
  const stateDir = flags.state ?? defaultStateDir;
  const meshFile = join(stateDir, "mesh.json");
  const host = flags.host ?? (env.WAGGLE_HOST || undefined);
  const token = await readToken(flags, env);
  if (host === undefined) {
    const local = await readMeshFile(meshFile);
    if (local === null) throw noMeshError(meshFile);
    return { url: local.control, token: token ?? local.token, source: meshFile, stateDir };
  }
  const url = parseHost(host);
  const source = flags.host === undefined ? "WAGGLE_HOST" : "--host";
  // The file is optional here: an error in it must not stop a command for another mesh.
  const local = await readMeshFile(meshFile).catch(() => null);
  if (local?.control !== url) return { url, token, source };
  return { url, token: token ?? local.token, source, stateDir };
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

async function readToken(
  flags: TargetFlags,
  env: Readonly<Record<string, string | undefined>>,
): Promise<string | null> {
  const path = flags.tokenFile;
  if (path === undefined) {
    const envToken = env.WAGGLE_TOKEN?.trim() ?? "";
    return envToken === "" ? null : checkToken(envToken, "WAGGLE_TOKEN");
  }
  const text = await readFile(path, "utf8").catch((error: NodeJS.ErrnoException) => {
    throw usageError(`cannot read --token-file ${path}: ${error.message}`);
  });
  const token = text.trim();
  if (token === "") throw usageError(`--token-file ${path} is empty`, "write the token into it on one line");
  return checkToken(token, `--token-file ${path}`);
}

/** Checks that a token fits into a header. The error does not show the token. */
function checkToken(token: string, source: string): string {
  if (/^[\x21-\x7e]+$/.test(token)) return token;
  throw usageError(`${source} is not a token: it contains a space or a non-ASCII character`);
}

function noMeshError(meshFile: string): CliError {
  return new CliError(
    exitCodes.unreachable,
    `no mesh found: ${meshFile} does not exist, and neither --host nor WAGGLE_HOST is set`,
    'start one with "waggle up", or give its URL: --host https://mesh.example.com',
  );
}
