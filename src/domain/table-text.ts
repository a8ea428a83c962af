import type { RoutingTable } from "./table.ts";

/** The table as text; `readTable` gives it back. */
export function printTable(_table: RoutingTable): string {
  throw new Error("not built yet");
}

/** The table a text says. Throws MeshError `table/invalid` naming the line. */
export function readTable(_text: string): RoutingTable {
  throw new Error("not built yet");
}
