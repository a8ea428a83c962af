// Reads the routing table of a mesh.

import { MeshError } from "../domain/model/error.ts";
import type { RoutingTable } from "../domain/table/table.ts";
import { readTable } from "../domain/table/text.ts";
import type { MeshClient } from "./client.ts";
import { unknownResponse } from "./mesh-refusal.ts";

/** The routing table, and its text. @throws exit code 3 if the response is something else */
export async function readMeshTable(
  mesh: MeshClient,
): Promise<{ readonly table: RoutingTable; readonly text: string }> {
  const text = await mesh.getNativeText("/table", { after: -1 });
  try {
    return { table: readTable(text), text };
  } catch (error) {
    if (!(error instanceof MeshError)) throw error;
    throw unknownResponse(mesh.target, "/mesh/table", error.message);
  }
}
