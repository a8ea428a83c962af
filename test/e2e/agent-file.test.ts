// The agent as one file, with the Node of this machine, in a mesh.

import { type ChildProcess, spawn, spawnSync } from "node:child_process";
import { once } from "node:events";
import { mkdtempSync, rmSync, statSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { programVersion, versionText } from "../../src/package/program-files.ts";
import { buildAgent, pretendNode, userEnvironment } from "../support/installed-package.ts";
import { MeshProcess } from "../support/mesh-process.ts";
import { until } from "../support/until.ts";

/** The largest size of the file, megabytes. */
const maxFileMb = 3;

describe("waggle-agent.mjs", () => {
  const home = mkdtempSync(join(tmpdir(), "waggle-agent-file-"));
  let file: string;
  let mesh: MeshProcess;
  let agent: ChildProcess | null = null;

  const shell = (line: string, variables: NodeJS.ProcessEnv = {}) =>
    spawnSync("sh", ["-c", line], {
      cwd: home,
      env: { ...userEnvironment(home), ...variables },
      encoding: "utf8",
    });

  beforeAll(async () => {
    file = buildAgent(home);
    mesh = await MeshProcess.start(["--nodes", "0"]);
  });

  afterAll(async () => {
    agent?.kill("SIGKILL");
    await mesh?.remove();
    rmSync(home, { recursive: true, force: true });
  });

  test("[U476] one small file joins a mesh, runs a task, and leaves gracefully", async () => {
    expect(statSync(file).size / 1e6).toBeLessThan(maxFileMb);
    const token = (await mesh.waggle("join-token", "-q")).out.trim();
    const join =
      'node waggle-agent.mjs --join "$WAGGLE_JOIN_TOKEN" "$WAGGLE_CONTROL" --address "$WAGGLE_ADDRESS"';
    const env = {
      ...userEnvironment(home),
      WAGGLE_JOIN_TOKEN: token,
      WAGGLE_CONTROL: mesh.control,
      WAGGLE_ADDRESS: "127.0.0.1",
    };
    const flags = "--name node1 --gateway-port 0 --runtime process";
    let log = "";
    agent = spawn("sh", ["-c", `exec ${join} ${flags}`], {
      cwd: home,
      env,
      stdio: ["ignore", "pipe", "pipe"],
    });
    for (const stream of [agent.stdout, agent.stderr]) {
      stream?.on("data", (bytes) => {
        log += bytes;
      });
    }
    const create = ["service", "create", "--name", "web", "--publish", "80", "waggle/whoami"];
    await until("the node", async () => /Ready +Active/.test((await mesh.waggle("node", "ls")).out));
    const created = await mesh.waggle(...create);
    expect(created.out + created.err + log).toContain("Service web converged");
    const answer = await (await fetch(`http://127.0.0.1:${mesh.edgePort}`)).text();
    expect(answer).toContain("node: node1\nservice: web\n");
    expect((await mesh.waggle("node", "inspect", "node1")).out).toContain(
      `"EngineVersion": "${programVersion()}"`,
    );
    agent.kill("SIGTERM");
    expect((await once(agent, "exit"))[0]).toBe(0);
  }, 90_000);

  test("[U473] it knows the version and commit of its build", () => {
    expect(shell("node waggle-agent.mjs --version")).toMatchObject({
      status: 0,
      stdout: `${versionText()}\n`,
    });
  });

  test("[U477] it refuses an ingress, and says what that needs", () => {
    const { status, stderr } = shell(`node waggle-agent.mjs --ingress ${mesh.control}`);
    expect(status).toBe(1);
    expect(stderr).toMatch(
      /an ingress runs the data plane in workerd, which is not a part of this file: use/,
    );
  });

  test("[U472] in a Node older than 20 it prints one sentence", () => {
    const { status, stderr } = shell(`"${process.execPath}" "${pretendNode("18.19.1")}" waggle-agent.mjs`);
    expect({ status, stderr }).toEqual({
      status: 127,
      stderr: "waggle: needs Node 20 or newer (this is v18.19.1)\n",
    });
  });
});
