import { expect, test } from "vitest";
import { fakeMesh, runOn } from "./support.ts";

test.each([
  [{}, "its member .mesh is missing"],
  [{ mesh: 7 }, "its member .mesh is of another kind"],
  [[], "it is of another kind"],
])("[U586] %j in place of a status is refused in words", async (json, reason) => {
  await using mesh = await fakeMesh({ "GET /mesh/status": { json } });
  const { code, err } = await runOn(mesh, ["status"]);
  expect(code).toBe(3);
  expect(err).toContain(`the response of ${mesh.url} to /mesh/status is not that of a mesh: ${reason}\n`);
  expect(err).toContain("write that of a control API, such as http://127.0.0.1:8787");
  expect(err).not.toMatch(/Invalid input|received/);
});
