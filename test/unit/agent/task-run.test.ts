import { beforeEach, expect, test } from "vitest";
import type { ProbeResult } from "../../../src/agent/probes.ts";
import type { TaskRecord } from "../../../src/agent/task-records.ts";
import { type TaskContext, TaskRun } from "../../../src/agent/task-run.ts";
import { taskStates } from "../../../src/domain/model/task.ts";
import type { AssignedTask, TaskReport } from "../../../src/protocol/agent.ts";
import { assignedTask } from "../../support/fake-registry.ts";
import { FakeRuntime, FakeTime } from "../../support/fake-runtime.ts";

const pass: ProbeResult = { ok: true, text: "L4OK in 0ms" };
const fail: ProbeResult = { ok: false, text: "L4CON in 0ms" };

let time: FakeTime;
let runtime: FakeRuntime;
let answer: ProbeResult;
let probeTakesMs: number;
let isCurrent: boolean;
let reports: TaskReport[];
let saved: TaskRecord[];

beforeEach(() => {
  time = new FakeTime();
  runtime = new FakeRuntime();
  answer = pass;
  probeTakesMs = 0;
  isCurrent = true;
  reports = [];
  saved = [];
});

test("[N10] a task runs only after two probes passed in a row", async () => {
  const run = start();
  answer = fail;
  await time.pass(1_000);
  expect(run.report).toMatchObject({
    state: "starting",
    health: { verdict: "starting", streak: { ok: false } },
  });
  answer = pass;
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

test("[N15] a running task that fails three probes is unhealthy, and given up ten seconds later", async () => {
  const run = start();
  await time.pass(1_000);
  answer = fail;
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

test("[V12] a suspected task is probed at once, and while it fails every 100 ms, until the verdict falls", async () => {
  const run = start();
  await time.pass(1_050);
  answer = fail;
  run.probeNow();
  await time.pass(0);
  expect(run.report.health).toMatchObject({ verdict: "healthy", streak: { ok: false, length: 1 } });
  await time.pass(200);
  expect(run.report.health).toMatchObject({ verdict: "unhealthy", streak: { ok: false, length: 3 } });
  await time.pass(1_000);
  expect(run.report.health?.streak.length).toBe(3);
});

test("[V12] a suspected task that answers goes on as before", async () => {
  const run = start();
  await time.pass(1_050);
  run.probeNow();
  await time.pass(0);
  answer = fail;
  await time.pass(1_999);
  expect(run.report.health?.streak.ok).toBe(true);
});

test("[N15] a task that answers again in time goes on", async () => {
  const run = start();
  await time.pass(1_000);
  answer = fail;
  await time.pass(8_000);
  answer = pass;
  await time.pass(60_000);
  expect(run.report).toMatchObject({ state: "running", health: { verdict: "healthy" } });
});

test("[N25] a task that never answers is given up after a minute", async () => {
  answer = fail;
  const run = start();
  await time.pass(59_000);
  expect(run.report.state).toBe("starting");
  await time.pass(3_000);
  expect(run.report).toMatchObject({
    state: "failed",
    err: "task: unhealthy: no answer within 60 s: L4CON in 0ms",
  });
});

test("[N26] health is told when what a person is shown changes, not with every probe", async () => {
  start();
  await time.pass(1_000);
  const before = reports.length;
  await time.pass(600_000);
  expect(reports.length).toBe(before);
  answer = fail;
  await time.pass(2_000);
  expect(reports.slice(before).map(({ health }) => health?.streak)).toEqual([{ ok: false, length: 1 }]);
});

test("[N27] a probe during which the machine slept says nothing", async () => {
  const run = start();
  await time.pass(1_000);
  const { health } = run.report;
  answer = fail;
  probeTakesMs = 60_000;
  for (let times = 0; times < 5; times++) await time.pass(2_000);
  expect(run.report).toMatchObject({ state: "running", health });
});

test("[N20] a running task is stopped after the drain delay, one not yet running at once", async () => {
  const first = start();
  await time.pass(1_000);
  first.stop(2_500);
  await time.pass(2_499);
  expect(runtime.processes[0]?.signals).toEqual([]);
  await time.pass(1);
  expect(runtime.processes[0]?.signals).toEqual(["SIGTERM"]);
  expect(first.report).toMatchObject({ state: "shutdown", exitCode: 0 });
  answer = fail;
  const second = start();
  await time.pass(1_000);
  second.stop(2_500);
  await time.pass(0);
  expect(second.report.state).toBe("shutdown");
});

test("[N20] a second stop makes it sooner, never later", async () => {
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

test("[N21] a task that ignores its stop signal is killed after its grace", async () => {
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

test("[N17] a task whose port was taken is started once more; a second time it fails", async () => {
  answer = fail;
  const run = start();
  await time.pass(100);
  runtime.processes[0]?.end({ code: 1, isPortTaken: true });
  await time.pass(100);
  expect(runtime.running).toHaveLength(1);
  expect(run.report).toMatchObject({ state: "starting", pid: 2 });
  runtime.processes[1]?.end({ code: 1, isPortTaken: true });
  await time.pass(100);
  expect(run.report).toMatchObject({ state: "failed", err: "task: non-zero exit (1)" });
  expect(runtime.processes).toHaveLength(2);
});

test("[N44] a task that was assigned and not started waits until the assignment is current again", async () => {
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

test("[N44] a task that was assigned and not started is not started when it is to stop meanwhile", async () => {
  isCurrent = false;
  const run = start();
  await time.pass(1_000);
  run.stop(0);
  await time.pass(0);
  expect(run.report).toMatchObject({ state: "shutdown", exitCode: null });
  expect(runtime.processes).toEqual([]);
});

test("[N28] a task without ports runs as soon as it is started, and is not probed", async () => {
  const run = start(assignedTask("a", { targets: [] }));
  answer = fail;
  await time.pass(60_000);
  expect(run.report).toMatchObject({ state: "running", health: null });
});

test("[N29] a runtime that cannot start a task fails that task", async () => {
  runtime.startError = new Error("spawn EAGAIN");
  const run = start();
  await time.pass(100);
  expect(run.report).toMatchObject({ state: "failed", err: "task: spawn EAGAIN" });
});

test("[N34] a record is there before the process is, and says by which it is found after", async () => {
  start();
  await time.pass(1_000);
  const starting = saved.filter(({ report }) => report.state === "starting").map(({ handle }) => handle);
  expect(starting).toEqual([null, 1]);
});

test("[N31] what is to stop is written down at once, not only once it is down", async () => {
  const run = start();
  await time.pass(1_000);
  expect(saved.at(-1)?.stopping).toBe(false);
  run.stop(2_500);
  expect(saved.at(-1)).toMatchObject({ stopping: true, report: { state: "running" } });
});

test("[N31] a task that was on its way down when its agent died was shut down", () => {
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

function start(task: AssignedTask = assignedTask("a")): TaskRun {
  return TaskRun.start("node", task, context());
}

function context(): TaskContext {
  return {
    runtime,
    prober: async () => {
      const given = answer;
      time.jump(probeTakesMs);
      return given;
    },
    nowMs: () => time.nowMs,
    wait: time.wait,
    isCurrent: () => isCurrent,
    save: (record) => saved.push(structuredClone(record)),
    onChange: (run) => reports.push(run.report),
  };
}
