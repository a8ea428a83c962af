// The user's context of a deployed mesh: its URL and operator token under the mesh's name.

import type { Cli } from "../cli.ts";
import { type Contexts, withContext, withoutContext } from "../context/contexts.ts";
import { changeContexts, contextsPath, loadContexts } from "../context/store.ts";
import { CliError } from "../errors.ts";
import { warnings } from "../flags.ts";

/** The token that the user's context `name` has for `url`; null if it has none. */
export async function contextToken(cli: Cli, name: string, url: string): Promise<string | null> {
  const context = ownContext(await loadContexts(cli.env, warnings(cli)), name);
  return context?.url === url ? context.token : null;
}

/**
 * Stores the operator token in the context `name`, unless that is of another mesh.
 *
 * @returns the file's path; null if nothing was stored, such as in a home folder that cannot be written
 */
export async function storeContextToken(
  cli: Cli,
  name: string,
  { url, token }: { readonly url: string; readonly token: string },
): Promise<string | null> {
  const path = contextsPath(cli.env);
  if (path === null) return null;
  let isStored = false;
  try {
    await changeContexts(cli.env, warnings(cli), (all) => {
      const old = ownContext(all, name);
      if (old !== undefined && old.url !== url) return all;
      isStored = true;
      return withContext(all, name, {
        stateDir: null,
        description: "made by waggle deploy",
        ...old,
        url,
        token,
      });
    });
  } catch (error) {
    if (!(error instanceof CliError)) throw error;
    warnings(cli)(error.message);
    return null;
  }
  return isStored ? path : null;
}

/** Removes the context `name` if it is for `url`. @returns true if it was there */
export async function removeContext(cli: Cli, name: string, url: string): Promise<boolean> {
  const isThere = ownContext(await loadContexts(cli.env, warnings(cli)), name)?.url === url;
  if (isThere) await changeContexts(cli.env, warnings(cli), (all) => withoutContext(all, name));
  return isThere;
}

function ownContext({ contexts }: Contexts, name: string): Contexts["contexts"][string] | undefined {
  return Object.hasOwn(contexts, name) ? contexts[name] : undefined;
}
