// Updates by the unmodified Docker CLI in a real mesh, to a program that crashes after a second.

import { spawnSync } from "node:child_process";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { dockerOk } from "../support/docker-ok.ts";
import { freePort, MeshProcess } from "../support/mesh-process.ts";

const hasDocker = spawnSync("docker", ["--version"]).status === 0;
const title = hasDocker ? "updates" : "updates (skipped: no docker command; apt-get install docker.io)";

/** Answers every request; with CRASH_MS it exits with code 3 after so many milliseconds. */
const program = `
  import { createServer } from "node:http";
  const { HOST, PORT, CRASH_MS } = process.env;
  createServer((request, response) => response.end("ok")).listen(Number(PORT), HOST);
  if (CRASH_MS) setTimeout(() => process.exit(3), Number(CRASH_MS));
`;

describe.skipIf(!hasDocker)(title, () => {
  let mesh: MeshProcess;
  let folder: string;

  beforeAll(async () => {
    folder = mkdtempSync(join(tmpdir(), "waggle-updates-"));
    writeFileSync(join(folder, "app.mjs"), program);
    const images = { "my/app": { command: [process.execPath, "app.mjs"], dir: folder } };
    writeFileSync(join(folder, "images.json"), JSON.stringify(images));
    mesh = await MeshProcess.start(["--empty", "--images", join(folder, "images.json")]);
  });

  afterAll(async () => {
    await mesh?.remove();
    rmSync(folder, { recursive: true, force: true });
  });

  const ok = (...args: string[]) => dockerOk(mesh, ...args);

  /** How many slots of a service have a running task. */
  async function runningSlots(service: string): Promise<number> {
    const format = "{{.Name}} {{.CurrentState}}";
    const lines = (
      await ok("service", "ps", "-f", "desired-state=running", "--format", format, service)
    ).split("\n");
    return new Set(lines.filter((line) => / Running /.test(line)).map((line) => line.split(" ")[0])).size;
  }

  for (const [name, flags, left] of [
    ["start-first", [], 4],
    ["one-at-a-time", ["--update-order", "stop-first"], 3],
    ["two-at-a-time", ["--update-parallelism", "2", "--update-order", "start-first"], 4],
  ] as const) {
    test(`[V30] an update (${name}) to a task that crashes after a second is paused with ${left} of 4 running`, async () => {
      const port = await freePort();
      const publish = `published=${port},target=80`;
      await ok("service", "create", "-q", "--name", name, "--replicas", "4", "--publish", publish, "my/app");
      const update = await mesh.docker("service", "update", ...flags, "--env-add", "CRASH_MS=1000", name);
      expect(update.code).toBe(1);
      expect(update.err).toMatch(
        /service update paused: update paused due to failure or early termination of task \w{25}/,
      );
      expect(await runningSlots(name)).toBeGreaterThanOrEqual(left);
      const status = "{{.UpdateStatus.State}}: {{.UpdateStatus.Message}}";
      expect(await ok("service", "inspect", "--format", status, name)).toMatch(
        /^paused: update paused due to failure or early termination of task \w{25}\n$/,
      );
      expect((await fetch(`http://127.0.0.2:${port}/`)).status).toBe(200);
      await ok("service", "rm", name);
    });
  }

  test("[V30] a healthy update takes one trial, and its progress ends with the service converged", async () => {
    const publish = `published=${await freePort()},target=80`;
    await ok("service", "create", "-q", "--name", "good", "--replicas", "4", "--publish", publish, "my/app");
    const startedAtMs = Date.now();
    const out = await ok("service", "update", "--env-add", "VERSION=2", "good");
    const tookMs = Date.now() - startedAtMs;
    expect(out).toContain("overall progress: 4 out of 4 tasks");
    expect(out).toMatch(/verify: Service \w+ converged/);
    // A trial and the monitor time of the last task, 5 s each; with the monitor time for every slot, 20 s.
    expect(tookMs).toBeGreaterThan(9_500);
    expect(tookMs).toBeLessThan(19_000);
    expect(await runningSlots("good")).toBe(4);
    await ok("service", "rm", "good");
  });
});
