// The problems of a test mesh, as `waggle status` lists them.

import { problemsOf } from "../../../src/control/problems.ts";
import type { TestMesh } from "../registry/harness.ts";

/** What `problemsOf` reads of a mesh without static servers. */
export function viewOf(mesh: TestMesh) {
  const { registry } = mesh;
  return {
    info: registry.info(),
    nodes: registry.nodes(),
    services: registry.services(),
    tasks: mesh.tasks(),
    servers: [],
  };
}

/** `what: why (age)` of each problem. */
export function problemLines(mesh: TestMesh, context?: Parameters<typeof problemsOf>[2]): string[] {
  return problemsOf(viewOf(mesh), [], context).map(
    ({ what, why, sinceMs }) => `${what}: ${why} (${(mesh.nowMs - (sinceMs ?? 0)) / 1_000} s)`,
  );
}
