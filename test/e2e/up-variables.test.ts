// Settings that `waggle up` passes on to the data plane.

import { afterAll, expect, test } from "vitest";
import { silent } from "../support/backends.ts";
import { freePort, loopbackHost, MeshProcess, newStateDir, run } from "../support/mesh-process.ts";
import { until } from "../support/until.ts";

const stops: (() => Promise<unknown>)[] = [];
afterAll(async () => {
  for (const stop of stops.splice(0)) await stop();
});

test("[L85] waggle up passes an option on to the data plane", async () => {
  const task = await silent();
  const mesh = await MeshProcess.start(["--nodes", "0", "--head-timeout", "300ms"]);
  stops.push(() => mesh.remove(), task.stop);
  const port = await freePort();
  const address = `${loopbackHost}:${new URL(task.origin).port}`;
  const added = await mesh.waggle("server", "add", "web", "s1", address, "--publish", String(port));
  expect([added.code, added.err]).toEqual([0, ""]);
  const text = await until("the refusal", async () => {
    const response = await fetch(`http://127.0.0.1:${port}/`, { method: "POST" });
    return response.status === 504 && response.text();
  });
  expect(text).toContain("did not respond within 0.3 s");
});

test("[L85] waggle up refuses a variable that cannot be read before anything starts", async () => {
  const env = { ...process.env, SILENT_MS: "3s" };
  const { code, err } = await run(process.execPath, ["src/cli/main.ts", "up", "--state", newStateDir()], env);
  expect(code).toBe(1);
  expect(err).toContain('cannot read variable SILENT_MS="3s": write a whole number from 0 to 86400000');
});
