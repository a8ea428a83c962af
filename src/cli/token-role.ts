// Whose token a command has: an operator's or a viewer's.

import type { MeshClient } from "./client.ts";
import { CliError, exitCodes } from "./errors.ts";
import { anyResponse } from "./shapes.ts";

/**
 * The role of the token that the mesh has accepted: only an operator may read the join tokens.
 *
 * @throws CliError if the mesh does not respond
 */
export async function tokenRole(mesh: MeshClient): Promise<"operator" | "viewer"> {
  try {
    await mesh.get("/swarm", anyResponse);
    return "operator";
  } catch (error) {
    if (error instanceof CliError && error.exitCode === exitCodes.token) return "viewer";
    throw error;
  }
}
