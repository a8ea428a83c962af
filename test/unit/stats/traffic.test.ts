import { expect, test } from "vitest";
import { MeshError } from "../../../src/domain/model/error.ts";
import { readStatsTraffic, statsTraffic } from "../../../src/stats/traffic.ts";
import type { Delta } from "../../../src/telemetry/delta.ts";
import { readSnapshot } from "../../../src/telemetry/read-snapshot.ts";
import { addDelta, newTelemetryState } from "../../../src/telemetry/telemetry-state.ts";
import { aService, aTask, now } from "../../support/world.ts";
import { arrivedAt, delta, entryDelta, taskDelta } from "../telemetry/deltas.ts";
import { aReport, valuesOf } from "./support.ts";

const web = aService({}, { id: "service1" });
const tasks = [aTask(web), aTask(web, { slot: 2 })];

function reportOf(...changes: readonly Partial<Delta>[]) {
  const state = newTelemetryState(now - 60_000);
  for (const [index, change] of changes.entries())
    addDelta(state, delta(index + 1, change), arrivedAt(now - 4_000));
  return aReport({ services: [web], tasks, traffic: statsTraffic(readSnapshot(state, now)) });
}

test("[Z11] a service's requests, responses and bytes are in its frontend and its backend", () => {
  const counts = {
    requests: 12,
    responses2xx: 9,
    responses5xx: 3,
    bytesIn: 700,
    bytesOut: 9_000,
    retries: 2,
  };
  const report = reportOf({ entries: [entryDelta({ ...counts, refused503: 1 }, [10, 20])] });
  const both = { stot: 12, req_tot: 12, bin: 700, bout: 9_000, hrsp_2xx: 9, hrsp_5xx: 3, hrsp_4xx: 0 };
  expect(valuesOf(report, "my-web", "FRONTEND")).toMatchObject({ ...both, ereq: 0 });
  expect(valuesOf(report, "my-web", "BACKEND")).toMatchObject({
    ...both,
    econ: 1,
    wretr: 2,
    lastsess: 4,
    rtime: 15,
  });
  expect(valuesOf(report, "waggle.nodes", "FRONTEND")).toMatchObject(both);
});

test("[Z11] a server's sessions are its attempts, with those of past tasks in its slot", () => {
  const taskWith = (id: string, attempts: number) =>
    taskDelta({ attempts, requests: attempts - 1, connectErrors: 1, timeouts: 2 }, [], { id });
  const entries = [entryDelta({ requests: 10 })];
  const report = reportOf({ entries, tasks: [taskWith("older", 5), taskWith("newer", 7)] });
  expect(valuesOf(report, "my-web", "my-web.1")).toMatchObject({
    stot: 12,
    lbtot: 12,
    req_tot: 10,
    econ: 2,
    eresp: 4,
  });
  expect(valuesOf(report, "my-web", "BACKEND")).toMatchObject({ lbtot: 12, econ: 2, eresp: 4 });
});

test("[Z11] Cur and Max have the gauges and their maxima", () => {
  const gauges = { open: 3, openMax: 8, queue: 1, queueMax: 5 };
  const report = reportOf({
    entries: [entryDelta({ requests: 1 }, [], gauges)],
    tasks: [taskDelta({}, [], gauges)],
  });
  for (const row of ["BACKEND", "my-web.1"]) {
    expect(valuesOf(report, "my-web", row)).toMatchObject({ scur: 3, smax: 8, qcur: 1, qmax: 5 });
  }
});

test("[Z41] the balancer's LbTot counts one node for each request, however many attempts it needed", () => {
  const report = reportOf({
    entries: [entryDelta({ requests: 7, hedges: 5 })],
    tasks: [taskDelta({ attempts: 12 })],
  });
  expect(valuesOf(report, "waggle.nodes", "BACKEND")).toMatchObject({ lbtot: 7, stot: 7 });
  expect(valuesOf(report, "my-web", "BACKEND")).toMatchObject({ lbtot: 12, stot: 7 });
});

test("[Z11] a server without requests counts 0; without telemetry the columns are empty", () => {
  const report = reportOf({});
  const zeros = { stot: 0, hrsp_2xx: 0, lastsess: -1 };
  expect(valuesOf(report, "my-web", "my-web.2")).toMatchObject(zeros);
  expect(valuesOf(report, "my-web", "BACKEND")).toMatchObject(zeros);
  expect(valuesOf(aReport(), "my-web", "my-web.2")).not.toHaveProperty("stot");
});

test("[Z11] while telemetry is unavailable, the report has the other columns", async () => {
  const unavailable = new MeshError("telemetry/unavailable", "away", { blame: "mesh", retry: "safe" });
  const traffic = await readStatsTraffic({ snapshot: () => Promise.reject(unavailable) }, true);
  expect(valuesOf(aReport({ traffic }), "my-web", "my-web.1")).toMatchObject({ status: "UP" });
  expect(valuesOf(aReport({ traffic }), "my-web", "my-web.1")).not.toHaveProperty("stot");
});
