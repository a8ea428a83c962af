// The traffic counters. Each is an index into an array, so counting is one addition.

/**
 * The indexes are stored and sent between releases: append new counters at the end.
 *
 * For a service or a node they count client requests and the responses to clients; for a task, the attempts
 * it got and those of its responses that went to a client.
 */
export const counterIndex = {
  /** Requests that ended, whatever the result. For a task: requests whose last attempt it got. */
  requests: 0,
  responses1xx: 1,
  responses2xx: 2,
  responses3xx: 3,
  responses4xx: 4,
  responses5xx: 5,
  responsesOther: 6,
  /**
   * Bytes of bodies: by Content-Length, else as they pass. On Cloudflare a response of unknown length is counted up to
   * about 1 MiB.
   */
  bytesIn: 7,
  bytesOut: 8,
  /** Attempts: requests sent to a task. */
  attempts: 9,
  /** Attempts after an earlier attempt failed. */
  retries: 10,
  /** Requests redispatched to another task after a failed attempt; counted at the task that failed. */
  redispatches: 11,
  /** Hedges: attempts started while an earlier one was still waiting; counted at the second task. */
  hedges: 12,
  /** Hedges whose response came first. */
  hedgesWon: 13,
  /** Times an isolate ejected a task. */
  ejections: 14,
  /** Requests sent in panic mode: so many tasks were ejected that ejections were ignored. */
  panics: 15,
  /** Attempts that could not connect, or whose connection broke before the response. */
  connectErrors: 16,
  /** The same while a request body was streaming, so the client may be the cause. */
  responseErrors: 17,
  /** Attempts without response headers in time. */
  timeouts: 18,
  /** Requests that the mesh itself refused, by status. They count as responses too. */
  refused400: 19,
  refused404: 20,
  refused500: 21,
  refused502: 22,
  refused503: 23,
  refused504: 24,
  refused508: 25,
  /** Refusals with any other status, such as 403. */
  refusedOther: 26,
  /** Sum of the times to response headers, milliseconds; the histogram has their number. */
  tookMs: 27,
  /** Connections of services in mode tcp that the mesh ended without a target. */
  refusedConnections: 28,
} as const;

export type CounterName = keyof typeof counterIndex;
export type Counts = Readonly<Record<CounterName, number>>;

export const counterNames = Object.keys(counterIndex) as CounterName[];
export const counterCount = counterNames.length;

export function countsByName(values: ArrayLike<number>): Counts {
  return Object.fromEntries(counterNames.map((name) => [name, values[counterIndex[name]] ?? 0])) as Counts;
}

/** The counter of each status class, by the status's first digit. Any other status counts as `responsesOther`. */
export const statusClassCounters: readonly (number | undefined)[] = [
  undefined,
  counterIndex.responses1xx,
  counterIndex.responses2xx,
  counterIndex.responses3xx,
  counterIndex.responses4xx,
  counterIndex.responses5xx,
];

const refusalCounters: Readonly<Record<number, number>> = {
  400: counterIndex.refused400,
  404: counterIndex.refused404,
  500: counterIndex.refused500,
  502: counterIndex.refused502,
  503: counterIndex.refused503,
  504: counterIndex.refused504,
  508: counterIndex.refused508,
};

/** The counter of a refusal with this status. */
export function refusalCounter(status: number): number {
  return refusalCounters[status] ?? counterIndex.refusedOther;
}

/** What a series and a rate count: at a target attempts, at a service or node requests. */
export type CountedKind = "task" | "entry";

/** How many attempts or requests of counts there are. */
export function seriesCount(counts: ArrayLike<number>, kind: CountedKind): number {
  return counts[kind === "task" ? counterIndex.attempts : counterIndex.requests] ?? 0;
}

/**
 * How many of them failed: requests with a 5xx response, from the mesh itself or a task, and connections that no
 * task got; attempts also without a response.
 */
export function failedCount(counts: ArrayLike<number>, kind: CountedKind): number {
  const failed = (counts[counterIndex.responses5xx] ?? 0) + (counts[counterIndex.refusedConnections] ?? 0);
  if (kind === "entry") return failed;
  const errors = (counts[counterIndex.connectErrors] ?? 0) + (counts[counterIndex.responseErrors] ?? 0);
  return failed + errors + (counts[counterIndex.timeouts] ?? 0);
}
