import type { Node } from "./node.ts";

/** One constraint, read. */
export type Constraint = { readonly key: string; readonly equal: boolean; readonly value: string };

/** Reads constraints. Throws MeshError `constraint/invalid` with SwarmKit's text. */
export function parseConstraints(_texts: readonly string[]): readonly Constraint[] {
  throw new Error("not built yet");
}

/** True when all hold on this node. */
export function nodeMatches(_constraints: readonly Constraint[], _node: Node): boolean {
  throw new Error("not built yet");
}
