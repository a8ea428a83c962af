// Where the mesh is and the token for it: from flags, else the environment, else what `waggle up` left behind.

import { readFile } from "node:fs/promises";
import { join } from "node:path";
import { CliError, exitCodes, usageError } from "./errors.ts";
import { parseJson } from "./json.ts";

/** The control API of one mesh. */
export type MeshTarget = {
  /** Without a slash at the end: `http://127.0.0.1:8787`. */
  readonly url: string;
  /** Null: none was given; the mesh will say whether it wants one. */
  readonly token: string | null;
  /** Where the URL came from, for messages: `--host`, `WAGGLE_HOST`, `.waggle/mesh.json`. */
  readonly source: string;
  /** The state folder of the mesh, where it was started on this machine. */
  readonly stateDir?: string;
};

export type TargetFlags = {
  readonly host?: string | undefined;
  readonly tokenFile?: string | undefined;
  readonly state?: string | undefined;
};

/** Where `waggle up` keeps a mesh unless told. */
export const defaultStateDir = ".waggle";

/**
 * Finds the mesh that a command is about. The token that `waggle up` wrote goes to the URL written beside it and
 * nowhere else.
 *
 * @throws exit code 3 when nothing says where the mesh is, 2 when what says it cannot be read
 */
export async function findTarget(
  flags: TargetFlags,
  env: Readonly<Record<string, string | undefined>>,
): Promise<MeshTarget> {
  const stateDir = flags.state ?? defaultStateDir;
  const meshFile = join(stateDir, "mesh.json");
  const given = flags.host ?? (env.WAGGLE_HOST || undefined);
  const token = await readGivenToken(flags, env);
  if (given === undefined) {
    const local = await readMeshFile(meshFile);
    if (local === null) throw noMeshError(meshFile);
    return { url: local.control, token: token ?? local.token, source: meshFile, stateDir };
  }
  const url = parseHost(given);
  const source = flags.host === undefined ? "WAGGLE_HOST" : "--host";
  // Here the file only may help: what is wrong with it is no concern of a command about another mesh.
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
  return `${url.origin}${url.pathname}`.replace(/\/+$/, "");
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

async function readGivenToken(
  flags: TargetFlags,
  env: Readonly<Record<string, string | undefined>>,
): Promise<string | null> {
  const path = flags.tokenFile;
  if (path === undefined) {
    const own = env.WAGGLE_TOKEN?.trim() ?? "";
    return own === "" ? null : checkToken(own, "WAGGLE_TOKEN");
  }
  const text = await readFile(path, "utf8").catch((error: NodeJS.ErrnoException) => {
    throw usageError(`cannot read --token-file ${path}: ${error.message}`);
  });
  const token = text.trim();
  if (token === "") throw usageError(`--token-file ${path} is empty`, "write the token into it, on one line");
  return checkToken(token, `--token-file ${path}`);
}

/** What fits into a header. The token itself is never shown. */
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
