// Counters: what is counted of traffic, each a place in an array, so that counting is an addition.

/**
 * The places are kept on disk and sent between releases: a new counter is added at the end.
 *
 * Of a service or a node they count what clients asked; of a task what it was asked. Responses are those handed to
 * clients, by their first digit; of a task those that it gave and that were handed on.
 */
export const counterIndex = {
  /** Requests that ended, one way or another. Of a task: those for which it was the last one asked. */
  requests: 0,
  responses1xx: 1,
  responses2xx: 2,
  responses3xx: 3,
  responses4xx: 4,
  responses5xx: 5,
  responsesOther: 6,
  /** By Content-Length alone: a body of unknown length counts as 0. */
  bytesIn: 7,
  bytesOut: 8,
  /** Times a task was asked. */
  attempts: 9,
  /** Further tasks asked because an earlier one failed. */
  retries: 10,
  /** Of a task: requests taken from it to another one because it failed. Of a service: all of these. */
  redispatches: 11,
  /** Second tasks asked because the first kept a request waiting; of a task: times it was that second one. */
  hedges: 12,
  /** Those whose answer came first. */
  hedgesWon: 13,
  /** Times an isolate began to pass a task over. */
  ejections: 14,
  /** Requests sent while so many tasks were out that all were used. */
  panics: 15,
  /** A task could not be reached, or broke the connection before it answered. */
  connectErrors: 16,
  /** The same while a body streamed to it, of which the client's end may be to blame. */
  responseErrors: 17,
  /** A task did not begin to answer in time. */
  timeouts: 18,
  /** Refusals of the mesh's own, by status. They are among the responses too. */
  refused400: 19,
  refused404: 20,
  refused500: 21,
  refused502: 22,
  refused503: 23,
  refused504: 24,
  refused508: 25,
  /** Of any other status, 403 for example. */
  refusedOther: 26,
  /** Milliseconds until answers began, in sum; how many they were, the histogram says. */
  tookMs: 27,
} as const;

export type CounterName = keyof typeof counterIndex;
export type Counts = Readonly<Record<CounterName, number>>;

export const counterNames = Object.keys(counterIndex) as CounterName[];
export const counterCount = counterNames.length;

/** Counts by their names. */
export function countsByName(values: ArrayLike<number>): Counts {
  return Object.fromEntries(counterNames.map((name) => [name, values[counterIndex[name]] ?? 0])) as Counts;
}

/** The counter of a response's class. */
export function responseClassCounter(status: number): number {
  return status >= 100 && status < 600 ? Math.floor(status / 100) : counterIndex.responsesOther;
}

const refusalCounters: Readonly<Record<number, number>> = {
  400: counterIndex.refused400,
  404: counterIndex.refused404,
  500: counterIndex.refused500,
  502: counterIndex.refused502,
  503: counterIndex.refused503,
  504: counterIndex.refused504,
  508: counterIndex.refused508,
};

/** The counter of a refusal. */
export function refusalCounter(status: number): number {
  return refusalCounters[status] ?? counterIndex.refusedOther;
}
