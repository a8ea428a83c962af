// The context of a mesh on this machine, by which commands find it from any folder.

import { resolve } from "node:path";
import { type Contexts, localContext, withContext } from "../cli/context/contexts.ts";
import { changeContexts, contextsPath } from "../cli/context/store.ts";
import { runningMesh } from "./state-folder.ts";

type RegisteredMesh = {
  readonly stateDir: string;
  readonly env: Readonly<Record<string, string | undefined>>;
};

/**
 * Stores the context `local` for the mesh of a state folder, without its token, which mesh.json has. It belongs to
 * the first mesh that runs. A failure costs this convenience only: it is printed.
 */
export async function registerContext(
  { stateDir, env }: RegisteredMesh,
  url: string,
  print: (line: string) => void,
): Promise<void> {
  if (contextsPath(env) === null) return;
  const folder = resolve(stateDir);
  let current: string | null = null;
  let other: string | null = null;
  try {
    await changeContexts(env, print, (all) => {
      current = all.current;
      other = otherOwner(all, folder);
      const context = { url, token: null, stateDir: folder, description: "waggle up on this machine" };
      return other === null ? withContext(all, localContext, context) : all;
    });
  } catch (error) {
    print(`Commands in other folders need --state ${folder}: ${(error as Error).message}`);
    return;
  }
  if (other !== null)
    print(`Commands in other folders need --state ${folder}: the context "${localContext}" is ${other}`);
  else if (current !== null && current !== localContext)
    print(`Commands use the context "${current}"; for this mesh: waggle context use ${localContext}`);
}

/** Who has the context, if it is not this mesh or one that has ended. */
function otherOwner({ contexts }: Contexts, folder: string): string | null {
  const context = contexts[localContext];
  if (context === undefined || context.stateDir === folder) return null;
  if (context.stateDir === null) return `the mesh at ${context.url}`;
  return runningMesh(context.stateDir) === null ? null : `the mesh in ${context.stateDir}, which runs`;
}
