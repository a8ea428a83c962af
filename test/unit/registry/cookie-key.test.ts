import { expect, test } from "vitest";
import { TestMesh } from "./harness.ts";

test("[W21] a router gets the sticky cookie key, a reader of the table does not, and the key survives restarts", () => {
  const mesh = new TestMesh();
  const given = mesh.registry.pollTable("router1", -1).cookieKey;
  expect(given).toMatch(/^[0-9a-z]{50}$/);
  expect(mesh.registry.table(-1)).not.toHaveProperty("cookieKey");
  expect(mesh.registry.table(-1).text).not.toContain(given);
  mesh.restart();
  expect(mesh.registry.pollTable("router2", -1).cookieKey).toBe(given);
  // Together with the text, once: a router that has the table has the key.
  const { version } = mesh.registry.table(-1);
  expect(mesh.registry.pollTable("router1", version)).toEqual({ version, text: null });
});
