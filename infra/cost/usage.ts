// What a mesh uses of the platform, computed from rates of measured runs. Pure.
//
// Isolates call objects when a request comes and the interval since their last call is over: an isolate with r requests
// a second whose calls are T seconds apart makes 1 / (T + 1/r) calls a second. T is interpolated over 1/r: it is the
// same where the time since the last call decides, and a line where the number of requests does. What collects for a
// window of W seconds does F / (1 + F W) of something that happens F times a second.
//
// A call saves its counters if the last save is S seconds ago, else an alarm does S seconds later. If calls come w
// seconds apart and then at random, L in a second, a share P = 1 - exp(-L (S - w)) of the saves are alarms, and there
// are 1 / (1/F + S P) saves a second.
//
// An object whose events take L seconds of each second in all is active for 1 - exp(-L) of the time, as in a queue with
// any number of servers; one at which N isolates wait for a share w of the time each, for 1 - (1 - w)^N.

import type { BilledItem, Prices } from "./prices.ts";

export type Transport = "direct" | "tunnel" | "vpc";

/** A mesh and its traffic. */
export type Scenario = {
  readonly nodes: number;
  readonly services: number;
  readonly tasks: number;
  /** Isolates of the data plane that get requests, in all data centers. */
  readonly isolates: number;
  /** Data centers with such isolates. */
  readonly places: number;
  /** All over the world. */
  readonly requestsPerSecond: number;
  readonly transport: Transport;
  /** Tasks that are replaced, by updates or failures. */
  readonly replacementsPerDay: number;
};

/** Means of a second; `storedGb` is what is stored. */
export type Usage = Readonly<Record<BilledItem, number>>;

/** Calls of isolates that get `requestsPerSecond` each. */
export type CallPoint = {
  readonly requestsPerSecond: number;
  readonly intervalSeconds: number;
  /** Time in which the object handles one, waits included. Milliseconds. */
  readonly msPerCall: number;
};

type WindowPoint = Pick<CallPoint, "requestsPerSecond"> & { readonly windowSeconds: number };

/** A value that is proportional to the nodes and tasks of a mesh, and has a part that is not. */
export type Linear = { readonly fixed: number; readonly perEntry: number };

export type TelemetryRows = { readonly items: number; readonly written: number; readonly stored: number };

/** What measured runs say about this release. Times are milliseconds. */
export type Rates = {
  readonly cpuMsPerRequest: number;
  /** By ascending requests; at least one. */
  readonly registryCalls: readonly CallPoint[];
  /** Empty if the registry hands the counters of isolates on. */
  readonly telemetryCalls: readonly CallPoint[];
  /** How long the registry collects counters, by the requests of an isolate; empty if isolates send them. */
  readonly relayWindows: readonly WindowPoint[];
  readonly telemetryMsPerCall: number;
  /** How long after a save the telemetry leaves the next one to an alarm. */
  readonly saveWindowSeconds: number;
  /**
   * Rows that a save writes for so many changed items, and that a start reads for so many in all. The object does not
   * keep more than the last.
   */
  readonly telemetryRows: readonly TelemetryRows[];
  /** Rows of its journal that the telemetry reads at a start, besides those that it has stored. */
  readonly telemetryJournalRows: number;
  /** Rows that the telemetry reads for each row that it writes. */
  readonly telemetryRowsReadPerWritten: number;
  readonly registry: {
    readonly alarmsPerSecond: { readonly idle: number; readonly busy: number };
    readonly msPerAlarm: number;
    readonly rowsReadPerCall: number;
    readonly rowsReadPerAlarm: number;
    readonly rowsWrittenPerAlarm: number;
    readonly rowsReadPerStart: Linear;
  };
  /** Of one request through the tunnel of a node. */
  readonly tunnel: { readonly calls: number; readonly messages: number; readonly ms: number };
  /** Of one task that is replaced. */
  readonly replacement: {
    /** Calls of each isolate that waits for the changed table, besides those that it makes anyway. */
    readonly callsOfIsolate: number;
    readonly messages: number;
    readonly rowsRead: number;
    readonly rowsWritten: number;
  };
  readonly storedBytes: Linear;
};

/** Requests a second, to one object each. */
export type ObjectLoads = { readonly registry: number; readonly telemetry: number; readonly tunnel: number };

const daySeconds = 86_400;

/** The usage of the platform, and the load of single objects. */
export function usageOf(
  scenario: Scenario,
  rates: Rates,
  { objects }: Pick<Prices, "objects">,
): { readonly usage: Usage; readonly loads: ObjectLoads } {
  const { nodes, tasks, requestsPerSecond, isolates, transport } = scenario;
  const entries = nodes + tasks;
  const { registry, replacement, tunnel } = rates;
  const replacements = scenario.replacementsPerDay / daySeconds;
  const registryCalls = callsAtChanges(
    callsOf(rates.registryCalls, requestsPerSecond, isolates),
    isolates * replacements * replacement.callsOfIsolate,
  );
  const counting =
    rates.relayWindows.length === 0
      ? directCalls(callsOf(rates.telemetryCalls, requestsPerSecond, isolates).perSecond)
      : relayedCalls(rates.relayWindows, requestsPerSecond / Math.max(1, isolates), registryCalls.perSecond);
  const telemetryCalls = counting.perSecond;
  const saves = savesOf(counting, rates.saveWindowSeconds);
  const savedRows = rowsOfSaves(saves, scenario, rates.telemetryRows);
  const alarms = requestsPerSecond > 0 ? registry.alarmsPerSecond.busy : registry.alarmsPerSecond.idle;
  const tunneled = transport === "tunnel" ? requestsPerSecond : 0;
  const messages = replacements * replacement.messages + tunneled * tunnel.messages;
  const idleGap = (perSecond: number): number => Math.exp(-perSecond * objects.hibernatesAfterSeconds);
  const registryStarts = alarms * idleGap(registryCalls.perSecond);
  const telemetryStarts = telemetryCalls * idleGap(telemetryCalls);
  const activeSeconds =
    activeShare((alarms * registry.msPerAlarm) / 1_000, { callers: isolates, load: registryCalls.load }) +
    activeShare((telemetryCalls * rates.telemetryMsPerCall) / 1_000) +
    (nodes === 0 ? 0 : nodes * activeShare(((tunneled / nodes) * tunnel.ms) / 1_000));
  const loads = {
    registry: registryCalls.perSecond + alarms,
    telemetry: telemetryCalls + saves.alarmsPerSecond,
    tunnel: nodes === 0 ? 0 : (tunneled / nodes) * tunnel.calls,
  };
  const usage = {
    requests: requestsPerSecond,
    cpuMs: requestsPerSecond * rates.cpuMsPerRequest,
    objectRequests:
      loads.registry + loads.telemetry + tunneled * tunnel.calls + messages / objects.messagesPerRequest,
    gbSeconds: activeSeconds * objects.memoryGb,
    rowsRead:
      registryCalls.perSecond * registry.rowsReadPerCall +
      alarms * registry.rowsReadPerAlarm +
      registryStarts * linear(registry.rowsReadPerStart, entries) +
      savedRows * rates.telemetryRowsReadPerWritten +
      telemetryStarts *
        (rowsOf(rates.telemetryRows, "stored", allItems(scenario)) + rates.telemetryJournalRows) +
      replacements * replacement.rowsRead,
    rowsWritten: alarms * registry.rowsWrittenPerAlarm + savedRows + replacements * replacement.rowsWritten,
    storedGb: linear(rates.storedBytes, entries) / 1e9,
  };
  return { usage, loads };
}

/** Calls of all isolates a second, and the seconds that their object takes for them in each. */
export function callsOf(
  points: readonly CallPoint[],
  requestsPerSecond: number,
  isolates: number,
): { readonly perSecond: number; readonly load: number } {
  if (points.length === 0 || requestsPerSecond === 0 || isolates === 0) return { perSecond: 0, load: 0 };
  const each = requestsPerSecond / isolates;
  const { intervalSeconds, msPerCall } = pointAt(points, each);
  const perSecond = isolates / (intervalSeconds + 1 / each);
  return { perSecond, load: (perSecond * msPerCall) / 1_000 };
}

/** A change ends the waits of isolates, which call again: the time in which they wait stays the same. */
function callsAtChanges(calls: ReturnType<typeof callsOf>, more: number): ReturnType<typeof callsOf> {
  return { ...calls, perSecond: calls.perSecond + more };
}

/** Calls of the telemetry in a second. They come `windowSeconds` apart, and then at random. */
export type CountingCalls = {
  readonly perSecond: number;
  readonly windowSeconds: number;
  readonly randomPerSecond: number;
};

/** Calls of isolates themselves, which come at random. */
export function directCalls(perSecond: number): CountingCalls {
  return { perSecond, windowSeconds: 0, randomPerSecond: perSecond };
}

/** Calls by which the registry hands on what isolates sent in `perSecond` calls. */
export function relayedCalls(
  points: readonly WindowPoint[],
  requestsOfIsolate: number,
  perSecond: number,
): CountingCalls {
  if (requestsOfIsolate === 0) return directCalls(0);
  const windowSeconds = betweenPoints(points, requestsOfIsolate, (point) => point.windowSeconds);
  return { perSecond: collected(perSecond, windowSeconds), windowSeconds, randomPerSecond: perSecond };
}

/** Saves of the telemetry in a second, and those of them that are alarms. */
export type Saves = { readonly perSecond: number; readonly alarmsPerSecond: number };

export function savesOf(calls: CountingCalls, saveWindowSeconds: number): Saves {
  if (calls.perSecond === 0) return { perSecond: 0, alarmsPerSecond: 0 };
  const randomSeconds = Math.max(0, saveWindowSeconds - calls.windowSeconds);
  const alarmShare = 1 - Math.exp(-calls.randomPerSecond * randomSeconds);
  const perSecond = 1 / (1 / calls.perSecond + saveWindowSeconds * alarmShare);
  return { perSecond, alarmsPerSecond: perSecond * alarmShare };
}

/** Rows that saves write in a second. An alarm is a row. */
export function rowsOfSaves(
  { perSecond, alarmsPerSecond }: Saves,
  scenario: ItemCounts & Pick<Scenario, "requestsPerSecond">,
  telemetryRows: readonly TelemetryRows[],
): number {
  if (perSecond === 0) return 0;
  const items = changedItems(scenario, scenario.requestsPerSecond / perSecond);
  return perSecond * rowsOf(telemetryRows, "written", items) + alarmsPerSecond;
}

/** How often something happens that waits for `windowSeconds` after an event, with `perSecond` events. */
export function collected(perSecond: number, windowSeconds: number): number {
  return perSecond / (1 + perSecond * windowSeconds);
}

/**
 * Items of the telemetry that `requests` requests change: they spread evenly over services, entry points, tasks and
 * places. @see src/telemetry/telemetry-state.ts
 */
export function changedItems(scenario: ItemCounts, requests: number): number {
  return itemKinds(scenario).reduce((sum, total) => sum + touched(total, requests), 0);
}

type ItemCounts = Pick<Scenario, "nodes" | "services" | "tasks" | "places">;

/** The number of items that the telemetry has of a mesh. */
export function allItems(scenario: ItemCounts): number {
  return itemKinds(scenario).reduce((sum, total) => sum + total, 0);
}

/** The number of items of each kind that a mesh can have. The balancer is an entry point as each node is. */
function itemKinds({ nodes, services, tasks, places }: ItemCounts): readonly number[] {
  return [services, nodes, services * (nodes + 1), tasks, tasks * places];
}

/** How many of `total` are chosen at least once in `times` random choices, mean. */
function touched(total: number, times: number): number {
  return total === 0 ? 0 : total * (1 - Math.exp(-times / total));
}

/** The rows of so many items, between measured numbers of items. */
export function rowsOf(points: readonly TelemetryRows[], kind: "written" | "stored", items: number): number {
  return interpolate(
    points.map((point) => ({ x: point.items, y: point[kind] })),
    items,
  );
}

function linear({ fixed, perEntry }: Linear, entries: number): number {
  return fixed + perEntry * entries;
}

/**
 * The share of time in which an object is active whose events take `load` seconds of a second in all. Events of one
 * caller do not overlap, those of different ones do.
 */
export function activeShare(load: number, calls = { callers: 0, load: 0 }): number {
  const shareOfCaller = calls.callers === 0 ? 0 : Math.min(1, calls.load / calls.callers);
  return 1 - Math.exp(-load) * (1 - shareOfCaller) ** calls.callers;
}

/** The calls of an isolate with as many requests. */
function pointAt(points: readonly CallPoint[], requestsPerSecond: number): CallPoint {
  return {
    requestsPerSecond,
    intervalSeconds: betweenPoints(points, requestsPerSecond, (point) => point.intervalSeconds),
    msPerCall: betweenPoints(points, requestsPerSecond, (point) => point.msPerCall),
  };
}

/** A value between the measured ones, over the time from one request to the next. @param points by ascending requests */
function betweenPoints<Point extends { readonly requestsPerSecond: number }>(
  points: readonly Point[],
  requestsPerSecond: number,
  value: (point: Point) => number,
): number {
  const at = (each: number): number => -1 / each;
  return interpolate(
    points.map((point) => ({ x: at(point.requestsPerSecond), y: value(point) })),
    at(requestsPerSecond),
  );
}

/** The value at `x` on straight lines through points by ascending x; the nearest one's outside of them. */
function interpolate(points: readonly { readonly x: number; readonly y: number }[], x: number): number {
  const above = points.findIndex((point) => point.x >= x);
  const next = points[above === -1 ? points.length - 1 : above];
  const previous = points[above - 1];
  if (next === undefined) return 0;
  if (above <= 0 || previous === undefined) return next.y;
  return previous.y + ((next.y - previous.y) * (x - previous.x)) / (next.x - previous.x);
}
