import { expect, test } from "vitest";
import { type EarlierMesh, meshOrigin } from "../../../src/local/mesh-origin.ts";

const left = { nodes: ["node1"], services: ["web"] };
const database = "s/registry";
const empty: EarlierMesh = {
  database,
  hasMeshFile: false,
  id: null,
  hasDatabase: false,
  left: { nodes: [], services: [] },
};

test("[U107] an empty state folder is a new mesh", () => {
  expect(meshOrigin(empty, "m1")).toEqual({ kind: "new" });
});

test("[U107] a database with the id of the last start is restored, another one is a loss", () => {
  const earlier = { ...empty, hasMeshFile: true, id: "m1", hasDatabase: true, left };
  expect(meshOrigin(earlier, "m1")).toEqual({ kind: "restored" });
  expect(meshOrigin(earlier, "m2")).toEqual({ kind: "lost", database, left });
  expect(meshOrigin({ ...earlier, hasDatabase: false }, "m2")).toEqual({ kind: "lost", database, left });
});

test("[U107] without a saved id the database decides, and nodes without one are a loss", () => {
  expect(meshOrigin({ ...empty, hasMeshFile: true, hasDatabase: true }, "m1")).toEqual({ kind: "restored" });
  expect(meshOrigin({ ...empty, hasMeshFile: true }, "m1")).toMatchObject({ kind: "lost" });
  expect(meshOrigin({ ...empty, left }, "m1")).toMatchObject({ kind: "lost", left });
});
