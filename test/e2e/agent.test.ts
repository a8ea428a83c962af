// The agent with real processes, against a fake registry.

import { spawn } from "node:child_process";
import { once } from "node:events";
import { existsSync, readdirSync, readFileSync, rmSync, statSync, writeFileSync } from "node:fs";
import { createServer } from "node:http";
import { join } from "node:path";
import { connect as connectTls } from "node:tls";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { WebSocket } from "ws";
import { findByEnvironment, identify } from "../../src/os/process-identity.ts";
import { closeCodes } from "../../src/protocol/agent.ts";
import { newStateDir, type StartedAgent, startAgent } from "../support/agent-process.ts";
import { selfSignedCertificate } from "../support/certificate.ts";
import { assignedTask, FakeRegistry, joinToken, taskId } from "../support/fake-registry.ts";
import { requestBytes, sendBytes, sign, testNodeKey } from "../support/gateway.ts";
import { missingPrograms } from "../support/program.ts";
import { until } from "../support/until.ts";

let registry: FakeRegistry;
let stateDir: string;
const agents: StartedAgent[] = [];

beforeEach(async () => {
  registry = await FakeRegistry.start();
  stateDir = newStateDir();
});

afterEach(async () => {
  for (const agent of agents.splice(0)) {
    agent.process.kill("SIGKILL");
    await agent.exited;
  }
  for (const pid of taskPids(stateDir)) process.kill(-pid, "SIGKILL");
  await registry.stop();
  rmSync(stateDir, { recursive: true, force: true });
});

describe("joining", () => {
  test("[N1] a node joins once, and keeps a credential that only its owner can read", async () => {
    const first = start();
    await until("a hello", () => registry.ofType("hello")[0]);
    expect(statSync(join(stateDir, "node.json")).mode & 0o777).toBe(0o600);
    first.process.kill("SIGINT");
    expect(await first.exited).toBe(0);
    start({ token: "no longer needed" });
    await until("a second hello", () => registry.ofType("hello")[1]);
    expect(registry.joins).toBe(1);
    expect(registry.upgrades[1]).toMatchObject({
      "x-waggle-node": registry.nodeId,
      "x-waggle-protocol": "3",
    });
    expect(first.lines.join("\n")).not.toMatch(/ccccc|SWMTKN/);
  });

  test("[N2] a bad join token ends the agent with an error that says what would work", async () => {
    const agent = start({ token: "SWMTKN-1-wrong" });
    expect(await agent.exited).toBe(1);
    expect(agent.lines.at(-1)).toMatch(
      /the join token was refused \(invalid join token\); .*docker swarm join-token/,
    );
  });

  test("[N3] an agent retries until it reaches the registry, and logs the reason", async () => {
    const { port } = registry;
    await registry.stop();
    const agent = start();
    await until("the line", () => agent.lines.some((line) => /cannot join yet: .*ECONNREFUSED/.test(line)));
    registry = await FakeRegistry.start(port);
    await until("a hello", () => registry.ofType("hello")[0]);
  });

  test("[O31] a gateway with a certificate speaks TLS, and the node says so; an unusable one ends the agent", async (context) => {
    if (missingPrograms(["openssl"]).length > 0) return context.skip("openssl is not installed");
    const [certFile, keyFile] = [join(stateDir, "cert.pem"), join(stateDir, "key.pem")];
    const { key, cert } = selfSignedCertificate();
    writeFileSync(certFile, cert);
    writeFileSync(keyFile, key);
    start({ gatewayTls: { certFile, keyFile } });
    const hello = await until("a hello", () => registry.ofType("hello")[0]);
    expect(hello.node.gateway?.tls).toBe(true);
    const socket = connectTls({ port: hello.node.gateway?.port ?? 0, rejectUnauthorized: false });
    await once(socket, "secureConnect");
    expect(socket.getPeerCertificate().subject.CN).toBe("localhost");
    socket.destroy();
    const other = start({ stateDir: `${stateDir}-tls`, gatewayTls: { certFile: keyFile, keyFile } });
    expect(await other.exited).toBe(1);
    expect(other.lines.at(-1)).toContain(
      `cannot use --gateway-cert ${keyFile} with --gateway-key ${keyFile}: `,
    );
    rmSync(`${stateDir}-tls`, { recursive: true, force: true });
  });

  test("[N4] two agents cannot share a state folder", async () => {
    start();
    await until("a hello", () => registry.ofType("hello")[0]);
    const second = start();
    expect(await second.exited).toBe(1);
    expect(second.lines.at(-1)).toMatch(/is in use by another agent \(process \d+\)/);
  });

  test("[N5] invalid options are refused before anything starts", async () => {
    const foreign = start({ address: "192.0.2.1" });
    expect(await foreign.exited).toBe(1);
    expect(foreign.lines.at(-1)).toContain("this machine cannot listen on 192.0.2.1");
    const images = join(stateDir, "images.json");
    writeFileSync(images, '{"my/app": {"command": "node server.js"}}');
    const invalidImages = start({ images });
    expect(await invalidImages.exited).toBe(1);
    expect(invalidImages.lines.at(-1)).toMatch(
      /images\.json: my\/app > command: .*"command": \["node", "server\.js"\]/,
    );
  });
});

describe("tasks", () => {
  test("[N10] a task is reported running, with endpoints that respond, once its probe passes", async () => {
    start();
    registry.tasks = [assignedTask("a", { targets: [80, 443], env: ["COLOUR=blue", "PORT=1"] })];
    const report = await until("running", () => running("a"));
    expect(report).toMatchObject({
      pid: expect.any(Number),
      health: { verdict: "healthy", rise: 2, fall: 3 },
    });
    expect(report.health?.lastCheck).toMatch(/^L7OK\/200 in \d+ms$/);
    expect(report.endpoints.map(({ target }) => target)).toEqual([80, 443]);
    for (const { origin } of report.endpoints) {
      const facts = (await (await fetch(`${origin}/api`)).json()) as Record<string, unknown>;
      expect(facts).toMatchObject({
        node: "node1",
        service: "my-web",
        slot: 1,
        task: taskId("a"),
        pid: report.pid,
      });
    }
    const states = registry.states("a").filter((state) => state !== "assigned");
    expect(states.at(-1)).toBe("running");
    expect(readFileSync(`/proc/${report.pid}/environ`, "utf8")).toContain("COLOUR=blue");
  });

  test("[N11] a killed task is reported failed at once, in Docker's words", async () => {
    start();
    registry.tasks = [assignedTask("a")];
    const { pid } = await until("running", () => running("a"));
    process.kill(pid ?? 0, "SIGKILL");
    const failed = await until("failed", () => ended("a"), { withinMs: 1_000 });
    expect(failed).toMatchObject({
      state: "failed",
      err: expect.stringMatching(/^task: non-zero exit \(137\): killed by SIGKILL: whoami listens on /),
      exitCode: 137,
      endpoints: [],
      pid: null,
    });
  });

  test("[N12] a task with an unknown image is rejected, and the error lists the known images", async () => {
    start();
    registry.tasks = [assignedTask("a", { image: "foo:latest" })];
    const report = await until("rejected", () => ended("a"));
    expect(report.state).toBe("rejected");
    expect(report.err).toMatch(
      /^No such image: foo:latest \(this node runs processes; it knows waggle\/whoami, .*add your own with --images FILE\)$/,
    );
  });

  test("[N13] an image from a file runs; arguments of the service replace those of the image", async () => {
    const images = join(stateDir, "images.json");
    writeFileSync(join(stateDir, "say.mjs"), "console.log(process.argv.slice(2).join(), process.env.A);");
    writeFileSync(
      images,
      JSON.stringify({ "my/say": { command: ["node", "say.mjs"], args: ["no"], env: ["A=b"] } }),
    );
    start({ images });
    registry.tasks = [assignedTask("a", { image: "my/say:1", targets: [], args: ["yes"] })];
    const report = await until("the end", () => ended("a"));
    expect(report).toMatchObject({ state: "complete", message: "finished", err: "", exitCode: 0 });
    expect(readFileSync(join(stateDir, "tasks", taskId("a"), "log"), "utf8")).toBe("yes b\n");
  });

  const noNginx = missingPrograms(["nginx"]).length > 0;
  test.skipIf(noNginx)(
    `[N14] nginx serves a page with its node, task and slot${noNginx ? " (skipped: no nginx; apt-get install nginx-light)" : ""}`,
    async () => {
      start();
      registry.tasks = [assignedTask("a", { image: "docker.io/library/nginx:latest" }, 7)];
      const { endpoints } = await until("running", () => running("a"));
      const response = await fetch(endpoints[0]?.origin ?? "");
      expect(response.headers.get("content-type")).toBe("text/html");
      const page = await response.text();
      expect(page).toContain("Welcome to nginx!");
      expect(page).toContain("<dd>node1</dd>");
      expect(page).toContain(`<dd>${taskId("a")}</dd>`);
      expect(page).toContain("<dd>7</dd>");
      registry.want("a", "shutdown");
      expect(await until("the end", () => ended("a"))).toMatchObject({ state: "shutdown", exitCode: 0 });
    },
  );

  test("[N15] a task that stops responding is unhealthy after three probes, before it has failed", async () => {
    start();
    registry.tasks = [assignedTask("a", { probe: { kind: "http", path: "/healthz" } })];
    const { pid } = await until("running", () => running("a"));
    process.kill(pid ?? 0, "SIGSTOP");
    const unhealthy = await until("unhealthy", () => {
      const report = registry.last("a");
      return report?.health?.verdict === "unhealthy" ? report : null;
    });
    expect(unhealthy).toMatchObject({ state: "running", health: { streak: { ok: false, length: 3 } } });
    expect(unhealthy.health?.lastCheck).toMatch(/^L[47]TOUT in \d+ms$/);
    process.kill(pid ?? 0, "SIGCONT");
    await until("healthy again", () => registry.last("a")?.health?.verdict === "healthy");
    const runningReports = (registry.reports.get(taskId("a")) ?? []).filter(
      ({ state }) => state === "running",
    );
    expect(runningReports.length).toBeLessThanOrEqual(8);
  }, 30_000);

  test("[N16] a task with a missing program, a missing folder or an unknown signal is rejected", async () => {
    start();
    registry.tasks = [
      assignedTask("a", { command: ["no-such-program"] }),
      assignedTask("b", { dir: "/no/such/dir" }, 2),
      assignedTask("c", { stopSignal: "SIGNONE" }, 3),
    ];
    expect((await until("a", () => ended("a"))).err).toBe(
      'exec: "no-such-program": executable file not found in $PATH',
    );
    expect((await until("b", () => ended("b"))).err).toBe(
      "the working directory /no/such/dir does not exist",
    );
    expect((await until("c", () => ended("c"))).err).toBe("invalid stop signal: SIGNONE");
  });
});

describe("stopping a task", () => {
  test("[N20] a stopping task keeps responding for the drain delay, then gets its stop signal", async () => {
    registry.drainDelayMs = 500;
    start();
    registry.tasks = [assignedTask("a")];
    const { endpoints } = await until("running", () => running("a"));
    const requestedAtMs = Date.now();
    registry.want("a", "shutdown");
    await until("half of the drain delay", () => Date.now() - requestedAtMs > 250);
    expect((await fetch(`${endpoints[0]?.origin}/healthz`)).status).toBe(200);
    const report = await until("shutdown", () => ended("a"));
    expect(Date.now() - requestedAtMs).toBeGreaterThanOrEqual(500);
    expect(report).toMatchObject({ state: "shutdown", message: "shutdown", err: "", exitCode: 0 });
  });

  test("[N21] a task that ignores its stop signal is killed after its grace period, with its child processes", async () => {
    start();
    const command = ["sh", "-c", 'trap "" TERM; sleep 300 & echo child $!; wait; sleep 300'];
    registry.tasks = [assignedTask("a", { command, targets: [], stopGraceMs: 300 })];
    await until("running", () => running("a"));
    const child = await until("its child", () => /child (\d+)/.exec(logOf("a"))?.[1]);
    registry.want("a", "remove");
    expect(await until("the end", () => ended("a"))).toMatchObject({ state: "shutdown", exitCode: 137 });
    await until("the end of its child", () => identify(Number(child)) === null);
  });

  test("[N22] a task that is not assigned is stopped; one that never started is reported at once", async () => {
    start();
    registry.tasks = [assignedTask("a")];
    const { pid } = await until("running", () => running("a"));
    registry.assign([{ ...assignedTask("b"), desired: "shutdown" }]);
    expect((await until("b", () => ended("b"))).state).toBe("shutdown");
    await until("the end of a", () => identify(pid ?? 0) === null);
    expect(existsSync(join(stateDir, "tasks", taskId("b")))).toBe(false);
  });
});

describe("a restarted agent", () => {
  test("[N30] finds its tasks after kill -9, continues them, and starts none twice", async () => {
    const first = start();
    registry.tasks = [assignedTask("a")];
    const before = await until("running", () => running("a"));
    first.process.kill("SIGKILL");
    await first.exited;
    expect(identify(before.pid ?? 0)).not.toBeNull();
    start();
    const hello = await until("the second hello", () => registry.ofType("hello")[1]);
    expect(hello.tasks).toMatchObject([
      { id: taskId("a"), state: "running", pid: before.pid, endpoints: before.endpoints },
    ]);
    process.kill(before.pid ?? 0, "SIGKILL");
    const failed = await until("failed", () => ended("a"), { withinMs: 2_000 });
    expect(failed.err).toMatch(
      /^task: exited \(exit code unknown: an earlier agent started it\): whoami listens/,
    );
    expect(taskPids(stateDir)).toEqual([]);
  });

  test("[O84] its gateway serves its tasks on the same port, although the registry is away", async () => {
    registry.gatewayKeys = [{ id: "k1", key: testNodeKey.toString("base64url") }];
    const agent = start();
    registry.tasks = [assignedTask("a")];
    await until("running", () => running("a"));
    const port = registry.ofType("hello")[0]?.node.gateway?.port ?? 0;
    const ask = async () => {
      const signed = sign({ taskId: taskId("a"), target: "/healthz" });
      const { outcome, body } = await sendBytes(port, requestBytes(signed), signed);
      return [outcome, body];
    };
    expect(await ask()).toEqual(["task", "ok\n"]);
    expect(statSync(join(stateDir, "gateway.json")).mode & 0o777).toBe(0o600);
    agent.process.kill("SIGKILL");
    await agent.exited;
    await registry.stop();
    start();
    await until("the gateway", () =>
      ask().then(
        ([outcome]) => outcome === "task",
        () => false,
      ),
    );
    expect(await ask()).toEqual(["task", "ok\n"]);
    registry = await FakeRegistry.start(registry.port);
  });

  test("[N31] reports tasks that ended meanwhile until the registry confirms it", async () => {
    const first = start();
    registry.tasks = [assignedTask("a")];
    const { pid } = await until("running", () => running("a"));
    first.process.kill("SIGKILL");
    await first.exited;
    process.kill(pid ?? 0, "SIGKILL");
    start();
    const hello = await until("the second hello", () => registry.ofType("hello")[1]);
    expect(hello.tasks).toMatchObject([
      { state: "failed", err: "task: exited while the agent was not running" },
    ]);
    registry.assign([]);
    const record = join(stateDir, "tasks", taskId("a"), "task.json");
    await until("the record to be retired", () => !existsSync(record));
    expect(existsSync(join(stateDir, "tasks", taskId("a"), "log"))).toBe(true);
  });

  test("[N32] keeps the logs of the last three ended tasks of a slot", async () => {
    start();
    const names = ["a", "b", "c", "d", "e"];
    for (const name of names) {
      registry.assign([assignedTask(name, { command: ["true"], targets: [] })]);
      await until(`${name} to end`, () => ended(name));
      registry.assign([]);
      await until(`${name} to be retired`, () =>
        existsSync(join(stateDir, "tasks", taskId(name), "ended.json")),
      );
    }
    const kept = () => readdirSync(join(stateDir, "tasks")).sort();
    await until("the removal of two", () => kept().length === 3);
    expect(kept()).toEqual(["c", "d", "e"].map(taskId));
  });

  test("[N64] removes the folders of a removed service, also after the agent was restarted", async () => {
    const first = start();
    registry.assign([assignedTask("a", { command: ["true"], targets: [] })]);
    await until("a to end", () => ended("a"));
    registry.assign([assignedTask("b")]);
    await until("b to run", () => running("b"));
    registry.assign([{ ...assignedTask("b"), desired: "remove" }]);
    await until("b to end", () => ended("b"));
    registry.assign([]);
    const folders = () => readdirSync(join(stateDir, "tasks")).sort();
    await until("b to be retired", () => existsSync(join(stateDir, "tasks", taskId("b"), "ended.json")));
    first.process.kill("SIGKILL");
    await first.exited;
    expect(folders()).toEqual(["a", "b"].map(taskId));
    // As if the agent had been away for longer than folders are kept.
    const file = join(stateDir, "tasks", taskId("b"), "ended.json");
    const record = JSON.parse(readFileSync(file, "utf8")) as { removedAtMs: number };
    writeFileSync(file, JSON.stringify({ ...record, removedAtMs: record.removedAtMs - 31_000 }));
    registry.tasks = [];
    start();
    // Agents look every 10 s.
    await until("no folder", () => folders().length === 0, { withinMs: 30_000 });
  });

  test("[N33] stays out after its node was removed, stops its tasks, and joins when it is started again", async () => {
    const first = start();
    registry.tasks = [assignedTask("a")];
    const { pid } = await until("running", () => running("a"));
    registry.tasks = [];
    registry.socket?.close(closeCodes.notAMember, "node removed");
    await until("the end of the old node's task", () => identify(pid ?? 0) === null);
    await until("the reason in the log", () =>
      first.lines.some((line) => line.includes("stays out of the mesh")),
    );
    expect([registry.joins, registry.ofType("hello").length]).toEqual([1, 1]);
    first.process.kill("SIGTERM");
    expect(await first.exited).toBe(0);
    // The registry knows the credential of the removed node no more.
    registry.joins += 1;
    start();
    await until("a second node", () => registry.ofType("hello")[1]);
    expect(registry.joins).toBe(3);
  });

  test("[N33] ends after its node was removed if it has no token", async () => {
    const first = start();
    await until("a hello", () => registry.ofType("hello")[0]);
    first.process.kill("SIGKILL");
    await first.exited;
    const second = startAgent({ url: registry.url, stateDir });
    agents.push(second);
    await until("a second hello", () => registry.ofType("hello")[1]);
    registry.socket?.close(closeCodes.notAMember, "node removed");
    expect(await second.exited).toBe(1);
    expect(registry.joins).toBe(1);
  });
});

describe("the session", () => {
  test("[N40] tasks keep running without the registry, and are reported once it is back", async () => {
    start();
    registry.tasks = [assignedTask("a")];
    const before = await until("running", () => running("a"));
    const { port } = registry;
    await registry.stop();
    expect((await fetch(`${before.endpoints[0]?.origin}/healthz`)).status).toBe(200);
    const { joins, tasks } = registry;
    registry = await FakeRegistry.start(port);
    Object.assign(registry, { joins, tasks });
    const hello = await until("a hello", () => registry.ofType("hello")[0]);
    expect(hello.tasks).toMatchObject([{ state: "running", pid: before.pid }]);
  });

  test("[N41] unreadable frames are logged and otherwise ignored", async () => {
    const agent = start();
    registry.tasks = [assignedTask("a")];
    const { pid } = await until("running", () => running("a"));
    const garbage = [
      "",
      "{",
      "null",
      "[]",
      '{"type":"assignment"}',
      '{"type":"boom","tasks":[]}',
      "x".repeat(1e6),
    ];
    for (const frame of [...garbage, Buffer.from([0, 255, 10])]) registry.socket?.send(frame);
    registry.socket?.send(
      JSON.stringify({
        type: "assignment",
        index: 0,
        node: { id: registry.nodeId, name: "n" },
        drainDelayMs: 0,
        tasks: [],
      }),
    );
    registry.assign([...registry.tasks, assignedTask("b", {}, 2)]);
    await until("b", () => running("b"));
    expect(identify(pid ?? 0)).not.toBeNull();
    expect(registry.ofType("hello")).toHaveLength(1);
    const logged = agent.lines.filter((line) => line.includes("cannot be read"));
    expect(logged.length).toBe(5);
    expect(Math.max(...agent.lines.map(({ length }) => length))).toBeLessThan(400);
  });

  test("[N42] an agent whose node another agent has taken over stops its tasks and exits", async () => {
    const agent = start();
    registry.tasks = [assignedTask("a")];
    const { pid } = await until("running", () => running("a"));
    registry.socket?.close(closeCodes.superseded, "superseded");
    expect(await agent.exited).toBe(1);
    expect(agent.lines.at(-1)).toContain("another agent has connected as this node");
    expect(identify(pid ?? 0)).toBeNull();
  });

  test("[N43] a registry with another protocol ends a new agent, and its tasks keep running", async () => {
    const first = start({ onStop: "keep" });
    registry.tasks = [assignedTask("a")];
    const { pid } = await until("running", () => running("a"));
    first.process.kill("SIGTERM");
    expect(await first.exited).toBe(0);
    registry.refuseWith = 426;
    const second = start();
    expect(await second.exited).toBe(1);
    expect(second.lines.at(-1)).toMatch(/refused this agent \(status 426: refused with 426\)/);
    expect(identify(pid ?? 0)).not.toBeNull();
  });

  test("[N44] an agent that was frozen starts no task of an earlier assignment", async () => {
    const agent = start();
    await until("a hello", () => registry.ofType("hello")[0]);
    agent.process.kill("SIGSTOP");
    const frozenAtMs = Date.now();
    registry.assign([assignedTask("a")]);
    registry.tasks = [];
    await until("missed heartbeats", () => Date.now() - frozenAtMs > 15_500, {
      withinMs: 20_000,
      everyMs: 500,
    });
    agent.process.kill("SIGCONT");
    await until("a new hello", () => registry.ofType("hello")[1]);
    registry.assign([assignedTask("b")]);
    await until("b", () => running("b"));
    expect(registry.states("a")).toEqual([]);
    expect(existsSync(join(stateDir, "tasks", taskId("a")))).toBe(false);
  }, 40_000);
});

describe("ending an agent", () => {
  test("[N50] on SIGTERM an agent sends leaving, stops replaced tasks, sends goodbye and exits with 0", async () => {
    const agent = start();
    registry.tasks = [assignedTask("a")];
    const { pid } = await until("running", () => running("a"));
    agent.process.kill("SIGTERM");
    await until("leaving", () => registry.ofType("leaving")[0]);
    expect(identify(pid ?? 0)).not.toBeNull();
    registry.want("a", "shutdown");
    expect((await until("shutdown", () => ended("a"))).state).toBe("shutdown");
    expect(await agent.exited).toBe(0);
    expect(registry.ofType("goodbye")).toEqual([{ type: "goodbye", reason: "agent left" }]);
    expect(registry.messages.at(-1)?.type).toBe("goodbye");
  });

  test("[N51] a leaving agent waits at most its drain timeout, and starts no task", async () => {
    const agent = start({ drainTimeoutMs: 300 });
    registry.tasks = [assignedTask("a")];
    await until("running", () => running("a"));
    agent.process.kill("SIGTERM");
    await until("leaving", () => registry.ofType("leaving")[0]);
    registry.assign([...registry.tasks, assignedTask("b", {}, 2)]);
    expect(await agent.exited).toBe(0);
    expect(registry.last("a")?.state).toBe("shutdown");
    expect(registry.states("b")).toEqual([]);
    expect(taskPids(stateDir)).toEqual([]);
  });

  test("[N52] a second signal stops the agent now, without waiting for replacements", async () => {
    const agent = start({ drainTimeoutMs: 60_000 });
    registry.drainDelayMs = 60_000;
    registry.tasks = [assignedTask("a")];
    await until("running", () => running("a"));
    agent.process.kill("SIGTERM");
    await until("leaving", () => registry.ofType("leaving")[0]);
    agent.process.kill("SIGTERM");
    expect(await agent.exited).toBe(0);
    expect(registry.last("a")).toMatchObject({ state: "shutdown", exitCode: 0 });
    expect(registry.ofType("goodbye")).toEqual([{ type: "goodbye", reason: "agent stopped" }]);
    expect(taskPids(stateDir)).toEqual([]);
  });

  test("[N52] SIGINT stops the agent now, and nothing is sent after its goodbye", async () => {
    const agent = start({ drainTimeoutMs: 60_000 });
    registry.tasks = [assignedTask("a")];
    await until("running", () => running("a"));
    registry.onMessage = ({ type }) => {
      if (type === "goodbye") registry.assign([{ ...assignedTask("late"), desired: "shutdown" }]);
    };
    agent.process.kill("SIGINT");
    expect(await agent.exited).toBe(0);
    expect(registry.last("a")?.state).toBe("shutdown");
    expect(registry.messages.at(-1)).toEqual({ type: "goodbye", reason: "agent stopped" });
    expect(registry.ofType("leaving")).toHaveLength(1);
  });

  test("[N53] an agent that keeps its tasks exits without a goodbye, and the next one continues them", async () => {
    const first = start({ onStop: "keep" });
    registry.tasks = [assignedTask("a")];
    const { pid } = await until("running", () => running("a"));
    first.process.kill("SIGTERM");
    expect(await first.exited).toBe(0);
    expect(registry.ofType("goodbye")).toEqual([]);
    start();
    const hello = await until("the second hello", () => registry.ofType("hello")[1]);
    expect(hello.tasks).toMatchObject([{ state: "running", pid }]);
  });
});

describe("whoami", () => {
  test("[N60] responds to all its routes, and finishes open requests before it exits", async () => {
    start();
    registry.tasks = [assignedTask("a")];
    const { endpoints } = await until("running", () => running("a"));
    const origin = endpoints[0]?.origin ?? "";
    const text = await (await fetch(origin, { headers: { "X-Odd": "1" } })).text();
    expect(text).toMatch(/^node: node1$/m);
    expect(text).toMatch(/^x-odd: 1$/im);
    expect((await fetch(`${origin}/status/503`)).status).toBe(503);
    expect((await fetch(`${origin}/status/204`)).status).toBe(204);
    expect((await (await fetch(`${origin}/bytes/100000`)).arrayBuffer()).byteLength).toBe(100_000);
    expect(await (await fetch(`${origin}/echo`, { method: "POST", body: "over" })).text()).toBe("over");
    const stream = await fetch(`${origin}/stream`);
    const first = await stream.body?.getReader().read();
    expect(new TextDecoder().decode(first?.value)).toMatch(/^id: 1\ndata: \{.*"tick":1\}\n\n$/);
    expect(await echoed(origin, "hello")).toBe("hello");
    const slow = fetch(`${origin}/delay/500`);
    await fetch(`${origin}/healthz`);
    registry.want("a", "shutdown");
    expect((await slow).status).toBe(200);
    expect(await until("shutdown", () => ended("a"))).toMatchObject({ state: "shutdown", exitCode: 0 });
  });
});

test("[N17] a task whose port is taken before it listens is restarted once, on another port", async () => {
  const program = join(stateDir, "program.mjs");
  // Fails the first time, as a server does whose port is taken; serves the second time.
  writeFileSync(
    program,
    `import { existsSync, writeFileSync } from "node:fs";
     import { once } from "node:events";
import { createServer } from "node:http";
     if (existsSync("once")) createServer((_, r) => r.end()).listen(process.env.PORT, process.env.HOST);
     else { writeFileSync("once", process.env.PORT); console.error("Error: listen EADDRINUSE"); process.exit(1); }`,
  );
  start();
  registry.tasks = [assignedTask("a", { command: [process.execPath, program], probe: { kind: "tcp" } })];
  const { endpoints } = await until("running", () => running("a"));
  const first = readFileSync(join(stateDir, "tasks", taskId("a"), "once"), "utf8");
  expect(new URL(endpoints[0]?.origin ?? "").port).not.toBe(first);
});

test("[N34] a process whose agent died before it saved the handle is killed and not started twice", async () => {
  const first = start();
  registry.tasks = [assignedTask("a")];
  const { pid } = await until("running", () => running("a"));
  first.process.kill("SIGKILL");
  await first.exited;
  const record = join(stateDir, "tasks", taskId("a"), "task.json");
  const saved = JSON.parse(readFileSync(record, "utf8")) as object;
  writeFileSync(record, JSON.stringify({ ...saved, handle: null }));
  start();
  const hello = await until("the second hello", () => registry.ofType("hello")[1]);
  expect(hello.tasks).toMatchObject([{ state: "failed" }]);
  await until("the end of the process", () => identify(pid ?? 0) === null);
});

test("[N35] another process with a reused id is not taken for the task", async () => {
  const first = start();
  registry.tasks = [assignedTask("a")];
  const { pid } = await until("running", () => running("a"));
  first.process.kill("SIGKILL");
  await first.exited;
  process.kill(pid ?? 0, "SIGKILL");
  const other = spawn("sleep", ["300"]);
  try {
    const record = join(stateDir, "tasks", taskId("a"), "task.json");
    const saved = JSON.parse(readFileSync(record, "utf8")) as { handle: object };
    writeFileSync(record, JSON.stringify({ ...saved, handle: { ...saved.handle, pid: other.pid } }));
    start();
    const hello = await until("the second hello", () => registry.ofType("hello")[1]);
    expect(hello.tasks).toMatchObject([{ state: "failed" }]);
    registry.assign([]);
    await until("the record to be retired", () => !existsSync(record));
    expect(identify(other.pid ?? 0)).not.toBeNull();
  } finally {
    other.kill("SIGKILL");
  }
});

test("[N6] a control URL of another server is refused with the reason", async () => {
  const server = createServer((_request, response) => response.writeHead(404).end("no"));
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  const address = server.address();
  const agent = start({ url: `http://127.0.0.1:${typeof address === "object" ? address?.port : 0}/base` });
  expect(await agent.exited).toBe(1);
  expect(agent.lines.at(-1)).toMatch(
    /responded with 404 to POST \/base\/mesh\/join: this is not the control URL of a mesh/,
  );
  server.close();
});

function start(options: Partial<Parameters<typeof startAgent>[0]> = {}): StartedAgent {
  const agent = startAgent({ url: registry.url, stateDir, token: joinToken, ...options });
  agents.push(agent);
  return agent;
}

function running(name: string) {
  const report = registry.last(name);
  return report?.state === "running" ? report : null;
}

function ended(name: string) {
  const report = registry.last(name);
  return report && ["complete", "shutdown", "failed", "rejected"].includes(report.state) ? report : null;
}

function logOf(name: string): string {
  return readFileSync(join(stateDir, "tasks", taskId(name), "log"), "utf8");
}

/** Processes of the tasks in this state folder. */
function taskPids(dir: string): number[] {
  const tasks = existsSync(join(dir, "tasks")) ? readdirSync(join(dir, "tasks")) : [];
  return tasks.flatMap((id) =>
    findByEnvironment((variable) => variable === `WAGGLE_TASK_ID=${id}`).map(({ identity }) => identity.pid),
  );
}

function echoed(origin: string, text: string): Promise<string> {
  return new Promise((resolve, reject) => {
    const socket = new WebSocket(origin.replace("http", "ws"));
    socket.once("open", () => socket.send(text));
    socket.once("error", reject);
    socket.once("message", (data) => {
      socket.close();
      resolve(data.toString());
    });
  });
}
