// A published port that another program holds, on a real mesh.

import { createServer } from "node:net";
import { afterAll, beforeAll, expect, test } from "vitest";
import type { MeshStatus } from "../../src/protocol/status.ts";
import { freePort, MeshProcess } from "../support/mesh-process.ts";
import { until } from "../support/until.ts";

let mesh: MeshProcess;
const holder = createServer();

beforeAll(async () => {
  mesh = await MeshProcess.start(["--empty"]);
});
afterAll(async () => {
  holder.close();
  await mesh?.remove();
});

async function portProblems(): Promise<MeshStatus["problems"]> {
  const { problems } = await mesh.get<MeshStatus>("/mesh/status");
  return problems.filter(({ what }) => what.startsWith("port "));
}

test("[G81] a published port that another program holds is an outage at the control API and the metrics, until it is open", async () => {
  const port = await freePort();
  await new Promise<void>((resolve) => holder.listen(port, "127.0.0.1", resolve));
  const flags = ["--name", "web", "--publish", `${port}:80`, "--detach", "waggle/whoami"];
  expect((await mesh.waggle("service", "create", ...flags)).code).toBe(0);
  const [problem] = await until("the problem", async () => {
    const found = await portProblems();
    return found.length > 0 ? found : null;
  });
  expect(problem).toMatchObject({
    what: `port 127.0.0.1:${port} of balancer`,
    why: expect.stringContaining("another process on this machine listens there"),
    severity: "bad",
    service: "web",
  });
  expect((await mesh.waggle("status", "--check")).code).toBe(1);
  const headers = { authorization: `Bearer ${mesh.token}` };
  const metrics = await (await fetch(`${mesh.control}/metrics`, { headers })).text();
  expect(metrics).toMatch(/^waggle_problems [1-9]/m);
  await new Promise((resolve) => holder.close(resolve));
  await until("the port to be open", async () => ((await portProblems()).length === 0 ? true : null));
});
