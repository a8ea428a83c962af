import { expect, test } from "vitest";
import type { MeshNode } from "../../../src/domain/model/node.ts";
import { nodeGraceMs, redialWindowMs } from "../../../src/registry/liveness.ts";
import { saveWorld } from "../../../src/registry/world-rows.ts";
import { aNode, aWorld } from "../../support/world.ts";
import { machine, TestMesh } from "./harness.ts";

/** A mesh of nodes that are ready, and whose sockets its registry has lost with a restart. */
function lostMesh(count: number): { readonly mesh: TestMesh; readonly nodes: readonly MeshNode[] } {
  const mesh = new TestMesh();
  const nodes = Array.from({ length: count }, (_, n) => {
    const address = `127.0.${n >> 8}.${n & 255}`;
    const id = `n${n.toString(36)}`.padStart(25, "0");
    return aNode({ id, ...machine(`node${n}`, address), provenAddress: address, wasReady: true });
  });
  saveWorld(mesh.database, aWorld(), aWorld(nodes));
  mesh.restart();
  return { mesh, nodes };
}

const readyCount = (mesh: TestMesh) => mesh.registry.nodes().filter(({ state }) => state === "ready").length;

test("[M173] the window is 3 ms for each node of a large mesh, and stays while the mesh does not double", () => {
  expect([1, 128, 129, 200, 256, 1_000, 10_000].map(redialWindowMs)).toEqual([
    0, 0, 768, 768, 768, 3_072, 49_152,
  ]);
});

test("[M173] after a reset, nodes of a large mesh have the window to redial before they are down", () => {
  const { mesh, nodes } = lostMesh(1_000);
  mesh.pass(nodeGraceMs + redialWindowMs(nodes.length) - 1, []);
  expect(readyCount(mesh)).toBe(1_000);
  const [first] = nodes;
  if (first === undefined) throw new Error("no node");
  const effects = mesh.hello({ id: first.id, name: first.hostname, address: first.address, credential: "" });
  expect(effects.assignments.map(({ body }) => body.redialMs)).toEqual([3_072]);
  mesh.pass(2, []);
  expect(readyCount(mesh)).toBe(1);
});

test("[M173] an assignment of a small mesh has no window, and its nodes are down after the missed heartbeats", () => {
  const { mesh } = lostMesh(3);
  mesh.pass(nodeGraceMs, []);
  expect(readyCount(mesh)).toBe(0);
  const effects = mesh.hello(mesh.join("fresh", "127.0.9.9"));
  expect(effects.assignments.map(({ body }) => body.redialMs)).toEqual([undefined]);
});
