// The rates that runs are made of: runs that a model made give its rates back, and each recorded release predicts the
// run that it was not made of.

import { expect, test } from "vitest";
import { checkRun, predict, ratesOf, replacementRun } from "../../../../infra/cost/fit.ts";
import { readPrices } from "../../../../infra/cost/prices.ts";
import { findRecording, type RunRecord, recordingNames } from "../../../../infra/cost/recording.ts";
import {
  callsOf,
  directCalls,
  type Rates,
  relayedCalls,
  rowsOfSaves,
  savesOf,
} from "../../../../infra/cost/usage.ts";
import { someRates } from "./rates.ts";

const prices = readPrices();
const seconds = 100_000;

type RunSize = Pick<RunRecord, "name" | "nodes" | "tasks" | "isolates"> & {
  readonly requestsPerSecond: number;
  readonly transport?: "direct" | "tunnel";
};

/** What the platform would count if the rates were true. */
function runOf(rates: Rates, size: RunSize): RunRecord {
  const { nodes, tasks, isolates, requestsPerSecond, transport = "direct" } = size;
  const run = { ...size, transport, services: 1, places: isolates, seconds, replacements: 0, failed: 0 };
  const requests = requestsPerSecond * seconds;
  const registryCalls = callsOf(rates.registryCalls, requestsPerSecond, isolates);
  const isRelayed = rates.relayWindows.length > 0;
  const counting = isRelayed
    ? relayedCalls(rates.relayWindows, requestsPerSecond / isolates, registryCalls.perSecond)
    : directCalls(callsOf(rates.telemetryCalls, requestsPerSecond, isolates).perSecond);
  const telemetryCalls = counting.perSecond;
  const saves = savesOf(counting, rates.saveWindowSeconds);
  const savedRows = seconds * rowsOfSaves(saves, { ...run, requestsPerSecond }, rates.telemetryRows);
  const { registry } = rates;
  const alarms = seconds * registry.alarmsPerSecond.busy;
  const starts = requestsPerSecond === 0 ? alarms : 0;
  const rowsReadAtStarts =
    starts * (registry.rowsReadPerStart.fixed + registry.rowsReadPerStart.perEntry * (nodes + tasks));
  const calls = registryCalls.perSecond * seconds;
  const object = { starts: { count: starts, ms: 0, rowsRead: 0 }, activeMs: 0, storedBytes: 0 };
  const tunneled = transport === "tunnel" ? requests : 0;
  return {
    ...run,
    requests,
    calls: {
      "isolate REGISTRY": { count: calls, replyBytes: 0 },
      [isRelayed ? "object TELEMETRY" : "isolate TELEMETRY"]: {
        count: telemetryCalls * seconds,
        replyBytes: 0,
      },
    },
    objects: {
      REGISTRY: {
        ...object,
        starts: { ...object.starts, rowsRead: rowsReadAtStarts },
        events: {
          pollTable: { count: calls, ms: registryCalls.load * 1_000 * seconds },
          alarm: { count: alarms, ms: alarms * registry.msPerAlarm },
        },
        rows: {
          read: rowsReadAtStarts + calls * registry.rowsReadPerCall + alarms * registry.rowsReadPerAlarm,
          written: alarms * registry.rowsWrittenPerAlarm,
        },
        storedBytes: rates.storedBytes.fixed + rates.storedBytes.perEntry * (nodes + tasks),
      },
      TELEMETRY: {
        ...object,
        events: {
          count: { count: telemetryCalls * seconds, ms: telemetryCalls * seconds * rates.telemetryMsPerCall },
          alarm: { count: saves.alarmsPerSecond * seconds, ms: 0 },
        },
        rows: { read: savedRows * rates.telemetryRowsReadPerWritten, written: savedRows },
      },
      TUNNEL: {
        ...object,
        events: {
          fetch: { count: tunneled * rates.tunnel.calls, ms: tunneled * rates.tunnel.ms },
          webSocketMessage: { count: tunneled * rates.tunnel.messages, ms: 0 },
        },
        rows: { read: 0, written: 0 },
      },
    },
  };
}

function runsOf(rates: Rates): readonly RunRecord[] {
  const mesh = { nodes: 3, tasks: 6 };
  const replaced = runOf(rates, { ...mesh, name: replacementRun, isolates: 4, requestsPerSecond: 4 });
  const { REGISTRY } = replaced.objects;
  if (REGISTRY === undefined) throw new Error("there is a registry");
  const replacements = 100_000;
  const { callsOfIsolate, messages, rowsRead, rowsWritten } = rates.replacement;
  const more = callsOfIsolate * replacements * replaced.isolates;
  const calls = replaced.calls["isolate REGISTRY"]?.count ?? 0;
  return [
    runOf(rates, { ...mesh, name: "idle", isolates: 1, requestsPerSecond: 0 }),
    runOf(rates, { name: "idle, large", nodes: 12, tasks: 24, isolates: 1, requestsPerSecond: 0 }),
    runOf(rates, { ...mesh, name: "busy", isolates: 4, requestsPerSecond: 40 }),
    runOf(rates, { ...mesh, name: "quiet", isolates: 40, requestsPerSecond: 8 }),
    runOf(rates, { ...mesh, name: "tunnels", isolates: 4, requestsPerSecond: 20, transport: "tunnel" }),
    {
      ...replaced,
      replacements,
      calls: { ...replaced.calls, "isolate REGISTRY": { count: calls + more, replyBytes: 0 } },
      objects: {
        ...replaced.objects,
        REGISTRY: {
          ...REGISTRY,
          events: { ...REGISTRY.events, webSocketMessage: { count: replacements * messages, ms: 0 } },
          rows: {
            read: REGISTRY.rows.read + replacements * rowsRead,
            written: REGISTRY.rows.written + replacements * rowsWritten,
          },
        },
      },
    },
  ];
}

/** The two runs are of these isolates, so that the interval between them is not tried. */
const rates: Rates = {
  ...someRates,
  telemetryCalls: someRates.registryCalls.map((point) => ({
    ...point,
    intervalSeconds: 3,
    msPerCall: someRates.telemetryMsPerCall,
  })),
};

const others = { cpu: { requests: 1_000, cpuMs: 500 }, telemetryRows: [...rates.telemetryRows] };

test("runs of a model give its rates back", () => {
  const found = ratesOf({ runs: [...runsOf(rates)], ...others });
  expect(found.cpuMsPerRequest).toBeCloseTo(rates.cpuMsPerRequest);
  expect(found.relayWindows).toEqual([]);
  expect(found.saveWindowSeconds).toBeCloseTo(rates.saveWindowSeconds, 1);
  expect(found.telemetryRowsReadPerWritten).toBeCloseTo(1);
  expect(found.registryCalls.map(({ intervalSeconds }) => intervalSeconds)).toEqual([
    expect.closeTo(2),
    expect.closeTo(1),
  ]);
  for (const part of ["registry", "tunnel", "replacement", "storedBytes"] as const)
    expect(rounded(found[part])).toEqual(rounded(rates[part]));
});

test("runs of a model whose registry hands counters on give its windows back", () => {
  const relayWindows = [
    { requestsPerSecond: 0.2, windowSeconds: 1 },
    { requestsPerSecond: 10, windowSeconds: 10 },
  ];
  const relayed: Rates = { ...rates, telemetryCalls: [], relayWindows };
  const found = ratesOf({ runs: [...runsOf(relayed)], ...others });
  expect(found.telemetryCalls).toEqual([]);
  expect(found.relayWindows.map(({ windowSeconds }) => windowSeconds)).toEqual([
    expect.closeTo(1),
    expect.closeTo(10),
  ]);
});

test("a missing kind of run is named", () => {
  const withoutTunnel = runsOf(rates).filter(({ transport }) => transport !== "tunnel");
  expect(() => ratesOf({ runs: withoutTunnel, ...others })).toThrow(
    "the recorded results lack a run with the transport tunnel: measure all runs",
  );
});

test("a prediction beyond its tolerance is found", () => {
  const run = runOf(rates, { name: checkRun, nodes: 3, tasks: 6, isolates: 10, requestsPerSecond: 10 });
  const doubled = { ...run, objects: { ...run.objects, OTHER: run.objects.REGISTRY } } as RunRecord;
  const held = (record: RunRecord) =>
    predict(record, rates, prices).find(({ item }) => item === "objectRequests")?.holds;
  expect(held(doubled)).toBe(false);
});

test.each(recordingNames.filter((name) => findRecording(name) !== null))(
  "the model of the recorded results %s predicts a run that it was not made of",
  (name) => {
    const recording = findRecording(name);
    const check = recording?.runs.find((run) => run.name === checkRun);
    if (recording === null || check === undefined) throw new Error(`${name} has no run "${checkRun}"`);
    const predictions = predict(check, ratesOf(recording), prices);
    expect(predictions.filter(({ holds }) => !holds)).toEqual([]);
  },
);

function rounded(value: unknown): unknown {
  return JSON.parse(JSON.stringify(value), (_, part) =>
    typeof part === "number" ? Number(part.toPrecision(6)) : part,
  );
}
