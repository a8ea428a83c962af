// Jobs by the unmodified Docker CLI in a real mesh.

import { spawnSync } from "node:child_process";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { dockerOk } from "../support/docker-ok.ts";
import { MeshProcess } from "../support/mesh-process.ts";
import { until } from "../support/until.ts";

const hasDocker = spawnSync("docker", ["--version"]).status === 0;
const title = hasDocker ? "jobs" : "jobs (skipped: no docker command; apt-get install docker.io)";

describe.skipIf(!hasDocker)(title, () => {
  let mesh: MeshProcess;
  let folder: string;

  beforeAll(async () => {
    folder = mkdtempSync(join(tmpdir(), "waggle-jobs-"));
    const images = { "my/step": { command: ["/bin/sh", "-c", "exit $((CODE))"] } };
    writeFileSync(join(folder, "images.json"), JSON.stringify(images));
    mesh = await MeshProcess.start(["--empty", "--images", join(folder, "images.json")]);
  });

  afterAll(async () => {
    await mesh?.remove();
    rmSync(folder, { recursive: true, force: true });
  });

  const ok = (...args: string[]) => dockerOk(mesh, ...args);

  test("[V31] a replicated job completes, is listed, and runs again with each update", async () => {
    const flags = ["--mode", "replicated-job", "--replicas", "3", "--max-concurrent", "1"];
    const created = await ok("service", "create", "--name", "migrate", ...flags, "my/step");
    expect(created).toContain("active tasks: 0 out of 0 tasks");
    expect(await ok("service", "ls")).toMatch(/migrate +replicated job +0\/1 \(3\/3 completed\) +my\/step/);
    const ps = ["service", "ps", "--format", "{{.Name}} {{.DesiredState}} {{.CurrentState}}", "migrate"];
    expect((await ok(...ps)).match(/^migrate\.(?:\w{25}|1|2) Complete Complete /gm)).toHaveLength(3);
    expect(await ok("service", "inspect", "--format", "{{.JobStatus.JobIteration.Index}}", "migrate")).toBe(
      "0\n",
    );
    await ok("service", "update", "--force", "migrate");
    expect(await ok("service", "inspect", "--format", "{{.JobStatus.JobIteration.Index}}", "migrate")).toBe(
      "1\n",
    );
    expect(await ok("service", "scale", "migrate=5")).toContain("migrate scaled to 5");
    await until("five completions", async () => (await ok("service", "ls")).includes("0/1 (5/5 completed)"));
  });

  test("[V31] a global job completes on each node, and a failing job shows what its policy leaves", async () => {
    await ok("service", "create", "-q", "--name", "everywhere", "--mode", "global-job", "my/step");
    expect(await ok("service", "ls")).toMatch(/everywhere +global job +0\/0 \(3\/3 completed\)/);
    const flags = ["--mode", "replicated-job", "--restart-condition", "none", "--env", "CODE=3"];
    await ok("service", "create", "-d", "--name", "failing", ...flags, "my/step");
    const ps = ["service", "ps", "--format", "{{.DesiredState}} {{.CurrentState}}", "failing"];
    await until("the task failed", async () => /^Shutdown Failed/.test(await ok(...ps)));
    expect(await ok("service", "ls")).toMatch(/failing +replicated job +0\/1 \(0\/1 completed\)/);
  });

  test("[V31] a stack may contain a job, and a job with a port or an update config is refused", async () => {
    const file = join(folder, "stack.yml");
    const job =
      "services:\n  once:\n    image: my/step\n    deploy:\n      mode: replicated-job\n      replicas: 2\n";
    writeFileSync(file, `version: "3.9"\n${job}`);
    await ok("stack", "deploy", "-c", file, "shop");
    await until("two completions", async () => (await ok("service", "ls")).includes("(2/2 completed)"));
    writeFileSync(file, `version: "3.9"\n${job}      update_config:\n        parallelism: 2\n`);
    const refused = await mesh.docker("stack", "deploy", "-c", file, "other");
    expect(refused.err).toContain(
      "rpc error: code = InvalidArgument desc = Jobs may not have an update config",
    );
    const port = await mesh.docker(
      "service",
      "create",
      "--mode",
      "replicated-job",
      "--publish",
      "80",
      "my/step",
    );
    expect(port.err).toContain("rpc error: code = InvalidArgument desc = Jobs may not publish ports");
  });
});
