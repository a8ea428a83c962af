import { beforeEach, expect, test } from "vitest";
import type { ProbeResult } from "../../../src/agent/probes.ts";
import { StartError } from "../../../src/agent/runtimes/runtime.ts";
import type { TaskRecord } from "../../../src/agent/task-records.ts";
import { type TaskContext, TaskRun } from "../../../src/agent/task-run.ts";
import { taskStates } from "../../../src/domain/model/task.ts";
import { type LogLine, printLogTime } from "../../../src/gateway/logs/log-line.ts";
import type { AssignedTask, TaskReport } from "../../../src/protocol/agent.ts";
import { assignedTask } from "../../support/fake-registry.ts";
import { FakeRuntime, FakeTime } from "../../support/fake-runtime.ts";

const pass: ProbeResult = { ok: true, text: "L4OK in 0ms" };
const fail: ProbeResult = { ok: false, text: "L4CON in 0ms" };

let time: FakeTime;
let runtime: FakeRuntime;
let probeResult: ProbeResult;
let probeTakesMs: number;
let isCurrent: boolean;
/** Settled when the task has no open request. */
let idle: PromiseWithResolvers<void>;
let reports: TaskReport[];
let saved: TaskRecord[];

beforeEach(() => {
  time = new FakeTime();
  runtime = new FakeRuntime();
  probeResult = pass;
  probeTakesMs = 0;
  isCurrent = true;
  idle = Promise.withResolvers<void>();
  idle.resolve();
  reports = [];
  saved = [];
});

test("[N10] a task runs only after two probes passed in a row", async () => {
  const run = start();
  probeResult = fail;
  await time.pass(1_000);
  expect(run.report).toMatchObject({
    state: "starting",
    health: { verdict: "starting", streak: { ok: false } },
  });
  probeResult = pass;
  await time.pass(100);
  expect(run.report.state).toBe("starting");
  await time.pass(100);
  expect(run.report).toMatchObject({ state: "running", message: "started", health: { verdict: "healthy" } });
});

test("[N24] states only go forward, through each in order", async () => {
  const run = start();
  await time.pass(1_000);
  run.stop(0);
  await time.pass(1_000);
  const ranks = reports.map(({ state }) => taskStates[state]);
  expect(ranks).toEqual([...ranks].sort((a, b) => a - b));
  const seen = [...new Set(reports.map(({ state }) => state))];
  expect(seen).toEqual(["accepted", "preparing", "ready", "starting", "running", "shutdown"]);
});

test("[N15] a running task that fails three probes is unhealthy, and has failed ten seconds later", async () => {
  const run = start();
  await time.pass(1_000);
  probeResult = fail;
  await time.pass(6_000);
  expect(run.report).toMatchObject({
    state: "running",
    health: { verdict: "unhealthy", lastCheck: "L4CON in 0ms" },
  });
  await time.pass(8_000);
  expect(run.report.state).toBe("running");
  await time.pass(4_000);
  expect(run.report).toMatchObject({ state: "failed", err: "task: unhealthy: L4CON in 0ms" });
  expect(runtime.running).toEqual([]);
});

test("[V12] a suspect task is probed at once, and every 100 ms while it fails until it is unhealthy", async () => {
  const run = start();
  await time.pass(1_050);
  probeResult = fail;
  run.probeNow();
  await time.pass(0);
  expect(run.report.health).toMatchObject({ verdict: "healthy", streak: { ok: false, length: 1 } });
  await time.pass(200);
  expect(run.report.health).toMatchObject({ verdict: "unhealthy", streak: { ok: false, length: 3 } });
  await time.pass(1_000);
  expect(run.report.health?.streak.length).toBe(3);
});

test("[V12] a suspect task that passes a probe returns to the normal interval", async () => {
  const run = start();
  await time.pass(1_050);
  run.probeNow();
  await time.pass(0);
  probeResult = fail;
  await time.pass(1_999);
  expect(run.report.health?.streak.ok).toBe(true);
});

test("[N15] an unhealthy task that recovers in time keeps running", async () => {
  const run = start();
  await time.pass(1_000);
  probeResult = fail;
  await time.pass(8_000);
  probeResult = pass;
  await time.pass(60_000);
  expect(run.report).toMatchObject({ state: "running", health: { verdict: "healthy" } });
});

test("[N25] a task that never passes a probe has failed after a minute", async () => {
  probeResult = fail;
  const run = start();
  await time.pass(59_000);
  expect(run.report.state).toBe("starting");
  await time.pass(3_000);
  expect(run.report).toMatchObject({
    state: "failed",
    err: "task: unhealthy: no response within 60 s: L4CON in 0ms",
  });
});

test("[N26] health is reported when its visible part changes, not after every probe", async () => {
  start();
  await time.pass(1_000);
  const before = reports.length;
  await time.pass(600_000);
  expect(reports.length).toBe(before);
  probeResult = fail;
  await time.pass(2_000);
  expect(reports.slice(before).map(({ health }) => health?.streak)).toEqual([{ ok: false, length: 1 }]);
});

test("[N27] a probe during which the machine slept does not count", async () => {
  const run = start();
  await time.pass(1_000);
  const { health } = run.report;
  probeResult = fail;
  probeTakesMs = 60_000;
  for (let round = 0; round < 5; round++) await time.pass(2_000);
  expect(run.report).toMatchObject({ state: "running", health });
});

test("[N20] a running task stops after the drain delay, a starting one at once", async () => {
  const first = start();
  await time.pass(1_000);
  first.stop(2_500);
  await time.pass(2_499);
  expect(runtime.processes[0]?.signals).toEqual([]);
  await time.pass(1);
  expect(runtime.processes[0]?.signals).toEqual(["SIGTERM"]);
  expect(first.report).toMatchObject({ state: "shutdown", exitCode: 0 });
  probeResult = fail;
  const second = start();
  await time.pass(1_000);
  second.stop(2_500);
  await time.pass(0);
  expect(second.report.state).toBe("shutdown");
});

test("[O83] a stopping task takes requests for the drain delay, and finishes the open ones before its stop signal", async () => {
  idle = Promise.withResolvers<void>();
  const run = start();
  await time.pass(1_000);
  expect(run.gatewayTask).toMatchObject({ accepts: true });
  expect(run.gatewayTask?.ports.get(80)).toEqual({ host: "127.0.0.1", port: 40_001 });
  run.stop(2_500);
  await time.pass(2_499);
  expect(run.gatewayTask?.accepts).toBe(true);
  await time.pass(1);
  expect(run.gatewayTask?.accepts).toBe(false);
  await time.pass(5_000);
  expect(runtime.processes[0]?.signals).toEqual([]);
  idle.resolve();
  await time.pass(0);
  expect(runtime.processes[0]?.signals).toEqual(["SIGTERM"]);
  expect(run.gatewayTask).toBeNull();
});

test("[O83] open requests delay a stop by 10 s at most, and not at all when the agent stops", async () => {
  idle = Promise.withResolvers<void>();
  const slow = start();
  await time.pass(1_000);
  slow.stop(0);
  await time.pass(9_999);
  expect(runtime.processes[0]?.signals).toEqual([]);
  await time.pass(1);
  expect(runtime.processes[0]?.signals).toEqual(["SIGTERM"]);
  const hurried = start();
  await time.pass(1_000);
  hurried.stop(0);
  await time.pass(1_000);
  expect(runtime.processes[1]?.signals).toEqual([]);
  hurried.stop("now");
  await time.pass(0);
  expect(runtime.processes[1]?.signals).toEqual(["SIGTERM"]);
});

test("[N20] a second stop request can only make the stop earlier", async () => {
  const run = start();
  await time.pass(1_000);
  run.stop(2_500);
  run.stop(60_000);
  await time.pass(1_000);
  expect(run.report.state).toBe("running");
  run.stop(0);
  await time.pass(0);
  expect(run.report.state).toBe("shutdown");
});

test("[N21] a task that ignores its stop signal is killed after its grace period", async () => {
  runtime.endsOnStopSignal = false;
  const run = start({ ...assignedTask("a"), run: { ...assignedTask("a").run, stopGraceMs: 3_000 } });
  await time.pass(1_000);
  run.stop(0);
  await time.pass(2_999);
  expect(runtime.processes[0]?.signals).toEqual(["SIGTERM"]);
  await time.pass(1);
  expect(runtime.processes[0]?.signals).toEqual(["SIGTERM", "SIGKILL"]);
  expect(run.report).toMatchObject({ state: "shutdown", exitCode: 137 });
});

test("[N17] a task whose port was taken is restarted once; the second time it fails", async () => {
  probeResult = fail;
  const run = start();
  await time.pass(100);
  runtime.processes[0]?.end({ code: 1, isPortTaken: true });
  await time.pass(100);
  expect(runtime.running).toHaveLength(1);
  expect(run.report).toMatchObject({ state: "starting", pid: 2 });
  runtime.processes[1]?.end({ code: 1, isPortTaken: true });
  await time.pass(100);
  expect(run.report).toMatchObject({
    state: "failed",
    err: "task: non-zero exit (1): another program holds its port",
  });
  expect(runtime.processes).toHaveLength(2);
});

test("[N44] an assigned task does not start until the assignment is current again", async () => {
  isCurrent = false;
  const run = start();
  await time.pass(60_000);
  expect(run.report.state).toBe("ready");
  run.wake();
  await time.pass(0);
  expect(runtime.processes).toEqual([]);
  isCurrent = true;
  run.wake();
  await time.pass(1_000);
  expect(run.report.state).toBe("running");
});

test("[N44] an assigned task does not start if its stop is requested first", async () => {
  isCurrent = false;
  const run = start();
  await time.pass(1_000);
  run.stop(0);
  await time.pass(0);
  expect(run.report).toMatchObject({ state: "shutdown", exitCode: null });
  expect(runtime.processes).toEqual([]);
});

test("[N28] a task without ports is running once started, and is not probed", async () => {
  const run = start(assignedTask("a", { targets: [] }));
  probeResult = fail;
  await time.pass(60_000);
  expect(run.report).toMatchObject({ state: "running", health: null });
});

test("[N29] a task that the runtime cannot start has failed", async () => {
  runtime.startError = new Error("spawn EAGAIN");
  const run = start();
  await time.pass(100);
  expect(run.report).toMatchObject({ state: "failed", err: "task: spawn EAGAIN" });
});

test("[N401] a container that cannot be started says so in Swarm's words", async () => {
  runtime.startError = new StartError('starting container failed: exec: "x": not found');
  const run = start();
  await time.pass(100);
  expect(run.report).toMatchObject({
    state: "failed",
    err: 'starting container failed: exec: "x": not found',
  });
});

test("[N34] the record is saved before the start, and with the process handle after it", async () => {
  start();
  await time.pass(1_000);
  const starting = saved.filter(({ report }) => report.state === "starting").map(({ handle }) => handle);
  expect(starting).toEqual([null, 1]);
});

test("[N31] a requested stop is saved at once", async () => {
  const run = start();
  await time.pass(1_000);
  expect(saved.at(-1)?.stopping).toBe(false);
  run.stop(2_500);
  expect(saved.at(-1)).toMatchObject({ stopping: true, report: { state: "running" } });
});

test("[N31] a task that was stopping when its agent died counts as shut down", () => {
  const record = {
    nodeId: "n",
    probe: { kind: "tcp" },
    stopSignal: "SIGTERM",
    handle: 1,
    stopping: true,
  } as const;
  const report: TaskReport = {
    id: assignedTask("a").id,
    state: "running",
    message: "started",
    err: "",
    atMs: 1,
    endpoints: [],
    health: null,
    pid: 1,
    exitCode: null,
  };
  const run = TaskRun.restore({ ...record, task: assignedTask("a"), report }, null, context());
  expect(run.report).toMatchObject({ state: "shutdown", pid: null });
});

test("[N104] a preparation that may pass is tried again, with the reason in the task's message", async () => {
  runtime.unavailable.push("the registry does not respond", "the registry does not respond");
  const run = start();
  await time.pass(500);
  expect(run.report).toMatchObject({
    state: "preparing",
    message: "the registry does not respond; trying again in 1 s",
  });
  await time.pass(3_000);
  expect(runtime.running).toHaveLength(1);
});

test("[N407] the error of a task says why its preparation is tried again, until it succeeds", async () => {
  runtime.unavailable.push("the registry does not respond");
  const run = start();
  await time.pass(500);
  expect(run.report.err).toBe("the registry does not respond; trying again in 1 s");
  await time.pass(3_000);
  expect(run.report).toMatchObject({ state: "running", err: "" });
});

test("[N104] a preparation that keeps failing rejects the task after 30 s", async () => {
  runtime.unavailable.push(...Array.from({ length: 6 }, () => "the registry does not respond"));
  const run = start();
  await time.pass(29_900);
  expect(run.report.state).toBe("preparing");
  await time.pass(200);
  expect(run.report).toMatchObject({ state: "rejected", err: "the registry does not respond" });
});

test("[N104] a stop ends a preparation at once, and what it prepares later is removed", async () => {
  const { promise, resolve } = Promise.withResolvers<void>();
  runtime.prepared = promise;
  const run = start();
  await time.pass(100);
  run.stop(0);
  await time.pass(0);
  expect(run.report.state).toBe("shutdown");
  resolve();
  await time.pass(0);
  expect([runtime.discarded, runtime.processes.length]).toEqual([1, 0]);
});

test("[N105] a task with a health check runs once the check has passed and its ports respond", async () => {
  const passed = Promise.withResolvers<void>();
  runtime.healthcheck = { passed: passed.promise, failed: new Promise(() => {}) };
  const run = start();
  // Docker bounds how long a check may take; the agent's own limit does not apply to it.
  await time.pass(120_000);
  expect(run.report.state).toBe("starting");
  probeResult = fail;
  passed.resolve();
  await time.pass(1_000);
  expect(run.report.state).toBe("starting");
  probeResult = pass;
  await time.pass(1_000);
  expect(run.report).toMatchObject({ state: "running", health: { verdict: "healthy" } });
});

test("[N105] a task without target ports runs once its health check has passed", async () => {
  const passed = Promise.withResolvers<void>();
  runtime.healthcheck = { passed: passed.promise, failed: new Promise(() => {}) };
  const run = start(assignedTask("a", { targets: [] }));
  await time.pass(1_000);
  expect(run.report.state).toBe("starting");
  passed.resolve();
  await time.pass(0);
  expect(run.report.state).toBe("running");
});

test("[N105] a failed health check takes the task out of the routing table, stops it and fails it", async () => {
  const failed = Promise.withResolvers<string>();
  runtime.healthcheck = { passed: Promise.resolve(), failed: failed.promise };
  const run = start();
  await time.pass(1_000);
  failed.resolve("exit 1: no answer");
  await time.pass(0);
  const verdicts = reports.map(({ state, health }) => `${state} ${health?.verdict}`);
  expect(verdicts.slice(-2)).toEqual(["running unhealthy", "failed undefined"]);
  expect(run.report.err).toBe("task: unhealthy: exit 1: no answer");
  expect(runtime.processes[0]?.signals).toEqual(["SIGTERM"]);
});

function start(task: AssignedTask = assignedTask("a")): TaskRun {
  return TaskRun.start("node", task, context());
}

function context(): TaskContext {
  return {
    runtime,
    prober: async () => {
      const result = probeResult;
      time.jump(probeTakesMs);
      return result;
    },
    nowMs: () => time.nowMs,
    wait: time.wait,
    isCurrent: () => isCurrent,
    whenIdle: (_id, maxMs) => Promise.race([idle.promise, time.wait(maxMs)]),
    openNames: async () => null,
    files: { place: async () => ({ ok: true, files: [] }) },
    save: (record) => saved.push(structuredClone(record)),
    onChange: (run) => reports.push(run.report),
  };
}

test("[N432] the open ports of a task on a network are reported, and again when they change", async () => {
  let ports: readonly number[] = [];
  let reads = 0;
  runtime.openPorts = async () => {
    reads += 1;
    return ports;
  };
  const run = start({ ...assignedTask("a"), networks: [{ id: "n", name: "shop", aliases: [] }] });
  await time.pass(1_000);
  expect(run.report.openPorts).toEqual([]);
  ports = [6379];
  await time.pass(500);
  expect(run.report.openPorts).toEqual([6379]);
  const count = reports.length;
  await time.pass(1_900);
  expect(reports).toHaveLength(count);
  ports = Array.from({ length: 300 }, (_, at) => at + 1);
  await time.pass(500);
  expect(run.report.openPorts).toHaveLength(128);
  run.stop("now");
  await run.ended;
  const readBefore = reads;
  await time.pass(2_000);
  expect(reads).toBe(readBefore);
});

test("[N464] a task that opens and closes ports all the time is reported twice a minute", async () => {
  let port = 1_000;
  runtime.openPorts = async () => {
    port += 1;
    return [port];
  };
  start({ ...assignedTask("a"), networks: [{ id: "n", name: "shop", aliases: [] }] });
  await time.pass(60_000);
  const changes = () => new Set(reports.map(({ openPorts }) => String(openPorts))).size;
  const before = changes();
  expect(before).toBeLessThan(25);
  await time.pass(600_000);
  expect(changes() - before).toBe(20);
});

test("[N432] the ports of a task without a network are its own business", async () => {
  runtime.openPorts = async () => [80];
  const run = start();
  await time.pass(1_000);
  expect(run.report).not.toHaveProperty("openPorts");
});

test("[N189] the error of a failed task ends with its last lines, also if they cannot be read", async () => {
  const line = (text: string): LogLine => ({
    stream: "stderr",
    time: printLogTime(1),
    text: Buffer.from(text),
  });
  const errorAfter = async (logs: FakeRuntime["logs"], exit: object = { code: 4 }) => {
    runtime = new FakeRuntime();
    runtime.logs = logs;
    const run = start();
    await time.pass(1_000);
    runtime.processes[0]?.end(exit);
    await run.ended;
    return run.report.err;
  };
  expect(await errorAfter([line("starting\n"), line("fatal: no config file\n")])).toBe(
    "task: non-zero exit (4): starting | fatal: no config file",
  );
  expect(await errorAfter([])).toBe("task: non-zero exit (4)");
  expect(await errorAfter(new Error("EIO: i/o error"))).toBe("task: non-zero exit (4)");
  expect(await errorAfter([line("done\n")], { code: 0 })).toBe("");
});

test("[N189] a task that was stopped has no error, whatever it printed", async () => {
  runtime.logs = [{ stream: "stdout", time: printLogTime(1), text: Buffer.from("bye\n") }];
  const run = start();
  await time.pass(1_000);
  run.stop("now");
  await time.pass(1_000);
  await run.ended;
  expect(run.report).toMatchObject({ state: "shutdown", err: "" });
});
