import type { RoutingTable } from "./table.ts";
import type { World } from "./world.ts";

/** The routing table of this world. Same world, same table, whatever the order of its maps. */
export function compileTable(_world: World, _version: number): RoutingTable {
  throw new Error("not built yet");
}
