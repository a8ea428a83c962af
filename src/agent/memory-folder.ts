// A folder of this agent in memory: on a tmpfs, so that nothing in it reaches a disk.

import { createHash } from "node:crypto";
import { lstatSync, mkdirSync, statfsSync } from "node:fs";
import { dirname, join } from "node:path";

/** `f_type` of statfs(2). */
const tmpfsMagic = 0x01021994;
const ramfsMagic = 0x858458f6;

/** The folder, or the reason why this machine has none. */
export type MemoryFolder = { readonly path: string } | { readonly why: string };

/**
 * Creates the folder: below /run for root, in the user's own folder there, or in /dev/shm.
 *
 * @param stateDir tells the agents of one machine apart
 */
export function openMemoryFolder(stateDir: string, env: NodeJS.ProcessEnv): MemoryFolder {
  const uid = process.getuid?.() ?? -1;
  const parents = [
    ...(uid === 0 ? ["/run/waggle"] : []),
    ...(env.XDG_RUNTIME_DIR ? [join(env.XDG_RUNTIME_DIR, "waggle")] : []),
    `/dev/shm/waggle-${uid}`,
  ];
  const agent = createHash("sha256").update(stateDir).digest("hex").slice(0, 16);
  const reasons: string[] = [];
  for (const parent of parents) {
    const why = tryFolder(parent, uid) ?? tryFolder(join(parent, agent), uid);
    if (why === null) return { path: join(parent, agent) };
    reasons.push(`${parent}: ${why}`);
  }
  return {
    why: `this node has no folder in memory for secrets and configs, which must not reach its disk (${reasons.join("; ")}): mount a tmpfs at /run or /dev/shm`,
  };
}

/** Why a folder cannot be used; null if it can. In /dev/shm another user may have made it first. */
function tryFolder(path: string, uid: number): string | null {
  try {
    if (!isInMemory(dirname(path))) return "it is not on a tmpfs";
    mkdirSync(path, { mode: 0o700 });
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException;
    if (code !== "EEXIST") return code ?? String(error);
  }
  const found = lstatSync(path);
  if (!found.isDirectory() || found.uid !== uid || (found.mode & 0o077) !== 0)
    return "it is not a folder that only this user can open";
  return isInMemory(path) ? null : "it is not on a tmpfs";
}

function isInMemory(path: string): boolean {
  const { type } = statfsSync(path);
  return type === tmpfsMagic || type === ramfsMagic;
}
