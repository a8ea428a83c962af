// A Docker Swarm of two machines beside a mesh: the manager's agent mirrors it, and the worker's agent reaches its
// own tasks.

import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { rmSync } from "node:fs";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { clientsAt } from "../support/docker-mesh.ts";
import { dockerdProblem, joinMachines, PrivateDockerd } from "../support/dockerd.ts";
import { MeshProcess, newStateDir, waggleProgram } from "../support/mesh-process.ts";
import { until } from "../support/until.ts";

const problem = dockerdProblem();
const title = problem === null ? "a Swarm of two machines" : `a Swarm of two machines (skipped: ${problem})`;
const slow = { withinMs: 40_000, everyMs: 100 };

describe.skipIf(problem !== null)(title, () => {
  let manager: PrivateDockerd;
  let worker: PrivateDockerd;
  let mesh: MeshProcess;
  let agent: ChildProcess | null = null;
  const agentDir = newStateDir();

  beforeAll(async () => {
    manager = await PrivateDockerd.start();
    worker = await PrivateDockerd.start();
    joinMachines([
      [manager, "10.77.0.1"],
      [worker, "10.77.0.2"],
    ]);
    await Promise.all([manager.importImages(), worker.importImages()]);
    const place = { address: "10.77.0.1", command: manager.command };
    mesh = await MeshProcess.startAt(place, ["--nodes", "1", "--runtime", "docker"], newStateDir());
  }, 180_000);

  afterAll(async () => {
    if (agent !== null) {
      agent.kill("SIGINT");
      if (agent.exitCode === null) await once(agent, "exit");
    }
    await mesh?.remove();
    await manager?.remove();
    await worker?.remove();
    rmSync(agentDir, { recursive: true, force: true });
  }, 60_000);

  /** Runs the waggle command on the manager's machine. */
  const cli = async (...args: string[]) => (await clientsAt(manager, mesh).waggle(...args)).out.trim();

  const get = async (port: number) =>
    (await manager.run(["curl", "-sf", "-m", "5", `http://10.77.0.1:${port}/`])).out.trim();

  test("[N282][M127] tasks on another machine of the Swarm get requests once an agent runs there, and are counted before", async () => {
    await manager.docker("swarm", "init", "--advertise-addr", "10.77.0.1");
    const token = await manager.docker("swarm", "join-token", "-q", "worker");
    await worker.docker("swarm", "join", "--token", token, "--advertise-addr", "10.77.0.2", "10.77.0.1:2377");
    const service = ["--name", "web", "--replicas", "4", "-p", "8090:80", "nginx"];
    await manager.docker("service", "create", "-d", "--no-resolve-image", ...service);
    const missing = "2 of 4 tasks run on Swarm nodes without an agent";
    await until("the warning", async () => (await cli("status")).includes(missing), slow);
    const replicas = () => cli("service", "ls", "--format", "{{.Replicas}}");
    await until("the manager's tasks", async () => (await replicas()) === "2/2", slow);

    const join = ["--join", await cli("join-token", "-q"), "--name", "worker", "--address", "10.77.0.2"];
    const flags = ["--runtime", "docker", "--gateway-port", "7947", "--state", agentDir, ...join];
    const [program, ...args] = worker.command([...waggleProgram, "agent", mesh.control, ...flags]);
    agent = spawn(program, args, { stdio: "ignore" });
    await until("all tasks", async () => (await replicas()) === "4/4", slow);
    expect(await cli("status")).not.toContain("without an agent");
    const answers = new Set<string>();
    for (let request = 0; request < 8; request += 1) answers.add(await get(8_090));
    const ids = `${await manager.docker("ps", "-q")}\n${await worker.docker("ps", "-q")}`;
    expect([...answers].sort()).toEqual(ids.split("\n").sort());
  }, 120_000);
});
