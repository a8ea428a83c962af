// The rates of a release, from its measured runs; and how well they predict a run that they were not made of. Pure.

import type { BilledItem, Prices } from "./prices.ts";
import type { ObjectRecord, Recording, RunRecord } from "./recording.ts";
import {
  allItems,
  type CallPoint,
  callsOf,
  directCalls,
  type Linear,
  type Rates,
  rowsOf,
  type Scenario,
  savesOf,
  usageOf,
} from "./usage.ts";

/** The name of the run that no rate is made of. */
export const checkRun = "check";
/** The name of the run in which tasks are replaced. */
export const replacementRun = "replacements";

type Measured = Pick<Recording, "runs" | "cpu" | "telemetryRows">;

/** The rates of a release. @throws Error if a kind of run is missing */
export function ratesOf({ runs, cpu, telemetryRows }: Measured): Rates {
  const idle = runs.filter(({ requests, replacements }) => requests === 0 && replacements === 0);
  const loaded = runs
    .filter(({ name, requests, transport }) => requests > 0 && transport === "direct" && !isApart(name))
    .toSorted((a, b) => requestsOfIsolate(a) - requestsOfIsolate(b));
  if (loaded.length === 0) throw missing("runs with requests");
  const relayed = loaded.some(({ calls }) => countOf(calls, "object TELEMETRY") > 0);
  const registry = registryRates(idle, loaded);
  const registryCalls = loaded.map((run) => callPoint(run, "REGISTRY"));
  return {
    cpuMsPerRequest: cpu.cpuMs / cpu.requests,
    registryCalls,
    telemetryCalls: relayed ? [] : loaded.map((run) => callPoint(run, "TELEMETRY")),
    relayWindows: relayed ? loaded.map(relayWindow) : [],
    telemetryMsPerCall: meanMs(pooledCalls(loaded, "TELEMETRY")),
    saveWindowSeconds: saveWindow(loaded),
    telemetryRows,
    telemetryJournalRows: Math.max(0, ...loaded.map((run) => journalRows(run, telemetryRows))),
    telemetryRowsReadPerWritten: readPerWritten(loaded),
    registry,
    tunnel: tunnelRates(required(runs.find(isTunnel), "a run with the transport tunnel")),
    replacement: replacementRates(
      required(
        runs.find(({ name }) => name === replacementRun),
        "a run with replacements",
      ),
      registry,
      registryCalls,
    ),
    storedBytes: linearOf(idle.map((run) => ({ entries: entriesOf(run), value: storedBytesOf(run) }))),
  };
}

function isApart(name: string): boolean {
  return name === checkRun || name === replacementRun;
}

function isTunnel({ transport }: RunRecord): boolean {
  return transport === "tunnel";
}

function required<T>(value: T | undefined, what: string): T {
  if (value === undefined) throw missing(what);
  return value;
}

function missing(what: string): Error {
  return new Error(`the recorded results lack ${what}: measure all runs`);
}

/** Requests that one isolate gets in a second. */
function requestsOfIsolate({ requests, isolates, seconds }: RunRecord): number {
  return requests / isolates / seconds;
}

function entriesOf({ nodes, tasks }: RunRecord): number {
  return nodes + tasks;
}

function countOf(calls: RunRecord["calls"], key: string): number {
  return calls[key]?.count ?? 0;
}

function callPoint(run: RunRecord, object: "REGISTRY" | "TELEMETRY"): CallPoint {
  const each = requestsOfIsolate(run);
  const calls = countOf(run.calls, `isolate ${object}`);
  const secondsBetween = (run.isolates * run.seconds) / Math.max(1, calls);
  return {
    requestsPerSecond: each,
    intervalSeconds: Math.max(0, secondsBetween - 1 / each),
    // Others' calls take little time.
    msPerCall: callEvents(run, object).ms / Math.max(1, calls),
  };
}

/** Events that the platform bills as requests, without alarms. */
function callEvents(run: RunRecord, object: string): { readonly count: number; readonly ms: number } {
  const { events } = objectOf(run, object);
  const calls = Object.entries(events).filter(([name]) => name !== "alarm" && !name.startsWith("webSocket"));
  return {
    count: calls.reduce((sum, [, event]) => sum + event.count, 0),
    ms: calls.reduce((sum, [, event]) => sum + event.ms, 0),
  };
}

function pooledCalls(runs: readonly RunRecord[], object: string) {
  const all = runs.map((run) => callEvents(run, object));
  return { count: sumOf(all, ({ count }) => count), ms: sumOf(all, ({ ms }) => ms) };
}

function meanMs({ count, ms }: { readonly count: number; readonly ms: number }): number {
  return count === 0 ? 0 : ms / count;
}

const noObject: ObjectRecord = {
  events: {},
  starts: { count: 0, ms: 0, rowsRead: 0 },
  activeMs: 0,
  rows: { read: 0, written: 0 },
  storedBytes: 0,
};

function objectOf(run: RunRecord, object: string): ObjectRecord {
  return run.objects[object] ?? noObject;
}

function eventOf(run: RunRecord, object: string, name: string) {
  return objectOf(run, object).events[name] ?? { count: 0, ms: 0 };
}

/** How long the registry collects counters before it hands them on. */
function relayWindow(run: RunRecord): Rates["relayWindows"][number] {
  const between = (key: string): number => run.seconds / Math.max(1, countOf(run.calls, key));
  return {
    requestsPerSecond: requestsOfIsolate(run),
    windowSeconds: Math.max(0, between("object TELEMETRY") - between("isolate REGISTRY")),
  };
}

/** The longest time between saves that is tried, and the steps of it. Seconds. */
const maxSaveWindow = 30;
const saveWindowStep = 0.05;

/** How long after a save the telemetry leaves the next one to an alarm: the time that says best how many alarms there were. */
function saveWindow(runs: readonly RunRecord[]): number {
  const measured = runs.map((run) => {
    const { count } = callEvents(run, "TELEMETRY");
    const isRelayed = countOf(run.calls, "object TELEMETRY") > 0;
    const calls = isRelayed
      ? {
          perSecond: count / run.seconds,
          windowSeconds: relayWindow(run).windowSeconds,
          randomPerSecond: countOf(run.calls, "isolate REGISTRY") / run.seconds,
        }
      : directCalls(count / run.seconds);
    return { calls, alarms: eventOf(run, "TELEMETRY", "alarm").count / run.seconds };
  });
  const errorOf = (window: number): number =>
    sumOf(measured, ({ calls, alarms }) => Math.abs(savesOf(calls, window).alarmsPerSecond - alarms));
  let best = { window: 0, error: Number.POSITIVE_INFINITY };
  for (let step = 0; step * saveWindowStep <= maxSaveWindow; step += 1) {
    const window = step * saveWindowStep;
    const error = errorOf(window);
    if (error < best.error) best = { window, error };
  }
  return best.window;
}

function readPerWritten(runs: readonly RunRecord[]): number {
  const records = runs.map((run) => objectOf(run, "TELEMETRY"));
  const read = sumOf(records, ({ rows, starts }) => rows.read - starts.rowsRead);
  return (
    read /
    Math.max(
      1,
      sumOf(records, ({ rows }) => rows.written),
    )
  );
}

/** Rows that a start of the telemetry read besides what is stored. The journal of a run grows: the longest counts. */
function journalRows(run: RunRecord, telemetryRows: Measured["telemetryRows"]): number {
  const { count, rowsRead } = objectOf(run, "TELEMETRY").starts;
  return count === 0 ? 0 : rowsRead / count - rowsOf(telemetryRows, "stored", allItems(run));
}

function registryRates(idle: readonly RunRecord[], loaded: readonly RunRecord[]): Rates["registry"] {
  const alarmsOf = (runs: readonly RunRecord[]) =>
    sumOf(runs, (run) => eventOf(run, "REGISTRY", "alarm").count) / sumOf(runs, ({ seconds }) => seconds);
  const all = [...idle, ...loaded];
  const alarms = sumOf(all, (run) => eventOf(run, "REGISTRY", "alarm").count);
  // Without requests an alarm is the only event; what its start reads is apart.
  const idleAlarms = sumOf(idle, (run) => eventOf(run, "REGISTRY", "alarm").count);
  const rowsReadPerAlarm =
    sumOf(idle, (run) => objectOf(run, "REGISTRY").rows.read - objectOf(run, "REGISTRY").starts.rowsRead) /
    Math.max(1, idleAlarms);
  const busyRead = sumOf(
    loaded,
    (run) =>
      objectOf(run, "REGISTRY").rows.read -
      objectOf(run, "REGISTRY").starts.rowsRead -
      eventOf(run, "REGISTRY", "alarm").count * rowsReadPerAlarm,
  );
  return {
    alarmsPerSecond: { idle: alarmsOf(idle), busy: alarmsOf(loaded) },
    msPerAlarm: sumOf(all, (run) => eventOf(run, "REGISTRY", "alarm").ms) / Math.max(1, alarms),
    rowsReadPerCall: Math.max(0, busyRead) / Math.max(1, pooledCalls(loaded, "REGISTRY").count),
    rowsReadPerAlarm,
    rowsWrittenPerAlarm: sumOf(all, (run) => objectOf(run, "REGISTRY").rows.written) / Math.max(1, alarms),
    rowsReadPerStart: linearOf(
      idle.map((run) => {
        const { count, rowsRead } = objectOf(run, "REGISTRY").starts;
        return { entries: entriesOf(run), value: rowsRead / Math.max(1, count) };
      }),
    ),
  };
}

function tunnelRates(run: RunRecord): Rates["tunnel"] {
  const calls = callEvents(run, "TUNNEL");
  const messages = eventOf(run, "TUNNEL", "webSocketMessage");
  return {
    calls: calls.count / run.requests,
    messages: messages.count / run.requests,
    ms: (calls.ms + messages.ms) / run.requests,
  };
}

/** Fewer calls than this share of those without changes are chance. */
const chance = 0.1;

/** What replaced tasks add to the calls and alarms of the run. */
function replacementRates(
  run: RunRecord,
  rates: Rates["registry"],
  points: Rates["registryCalls"],
): Rates["replacement"] {
  const { rows, starts } = objectOf(run, "REGISTRY");
  const alarms = eventOf(run, "REGISTRY", "alarm").count;
  const calls = callEvents(run, "REGISTRY").count;
  const usual = callsOf(points, run.requests / run.seconds, run.isolates).perSecond * run.seconds;
  const more = countOf(run.calls, "isolate REGISTRY") - usual;
  const otherReads = starts.rowsRead + calls * rates.rowsReadPerCall + alarms * rates.rowsReadPerAlarm;
  return {
    callsOfIsolate: more > chance * usual ? more / run.isolates / run.replacements : 0,
    messages: eventOf(run, "REGISTRY", "webSocketMessage").count / run.replacements,
    rowsRead: Math.max(0, rows.read - otherReads) / run.replacements,
    rowsWritten: Math.max(0, rows.written - alarms * rates.rowsWrittenPerAlarm) / run.replacements,
  };
}

function storedBytesOf({ objects }: RunRecord): number {
  return sumOf(Object.values(objects), ({ storedBytes }) => storedBytes);
}

/** The line through the smallest and the largest mesh. */
function linearOf(points: readonly { readonly entries: number; readonly value: number }[]): Linear {
  const sorted = points.toSorted((a, b) => a.entries - b.entries);
  const [first, last] = [sorted[0], sorted.at(-1)];
  if (first === undefined || last === undefined || last.entries === first.entries)
    throw missing("idle runs of two sizes");
  const perEntry = Math.max(0, (last.value - first.value) / (last.entries - first.entries));
  return { perEntry, fixed: Math.max(0, first.value - perEntry * first.entries) };
}

function sumOf<T>(values: readonly T[], of: (value: T) => number): number {
  return values.reduce((sum, value) => sum + of(value), 0);
}

/** The mesh and the traffic of a run. */
function scenarioOf(run: RunRecord): Scenario {
  const { nodes, services, tasks, isolates, places, transport, requests, seconds, replacements } = run;
  return {
    ...{ nodes, services, tasks, isolates, places, transport },
    requestsPerSecond: requests / seconds,
    replacementsPerDay: (replacements / seconds) * 86_400,
  };
}

/** What a run was predicted to use, and what it used; means of a second. */
export type Prediction = {
  readonly item: BilledItem;
  readonly predicted: number;
  readonly measured: number;
  /** Share of the measured value by which the prediction may differ. */
  readonly tolerance: number;
  readonly holds: boolean;
};

/** Counts are nearly exact; times on a shared machine differ by a factor of two. */
const tolerances = { objectRequests: 0.2, rowsRead: 0.25, rowsWritten: 0.25, gbSeconds: 1 } as const;

/** Compares a run with what the rates say. */
export function predict(
  run: RunRecord,
  rates: Rates,
  prices: Pick<Prices, "objects">,
): readonly Prediction[] {
  const { usage } = usageOf(scenarioOf(run), rates, prices);
  const used = measuredUsage(run, prices);
  return (Object.keys(tolerances) as (keyof typeof tolerances)[]).map((item) => {
    const [predicted, measured, tolerance] = [usage[item], used[item], tolerances[item]];
    return { item, predicted, measured, tolerance, holds: isWithin(predicted, measured, tolerance) };
  });
}

/** A tolerance of 1 means half to twice as much. */
function isWithin(predicted: number, measured: number, tolerance: number): boolean {
  return predicted <= measured * (1 + tolerance) && predicted >= measured / (1 + tolerance);
}

function measuredUsage(run: RunRecord, { objects }: Pick<Prices, "objects">) {
  const records = Object.values(run.objects);
  const events = records.flatMap((record) => Object.entries(record.events));
  const billed = sumOf(events, ([name, { count }]) => {
    if (name === "webSocketMessage") return count / objects.messagesPerRequest;
    return name.startsWith("webSocket") ? 0 : count;
  });
  return {
    objectRequests: billed / run.seconds,
    rowsRead: sumOf(records, ({ rows }) => rows.read) / run.seconds,
    rowsWritten: sumOf(records, ({ rows }) => rows.written) / run.seconds,
    gbSeconds: (sumOf(records, ({ activeMs }) => activeMs) / 1_000 / run.seconds) * objects.memoryGb,
  };
}
