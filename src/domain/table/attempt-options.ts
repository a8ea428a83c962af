// How the requests of a service are timed and sent.

/** Absent: as the data plane's variables say. */
export type AttemptOptions = {
  /** Time until a response must begin, milliseconds, for requests that may not be repeated as well. */
  readonly headTimeoutMs?: number;
  /** A target that responds to nothing for this long counts as frozen, milliseconds; 0: never. */
  readonly silenceMs?: number;
  /** False: a request is never sent to a second target while the first may still respond. */
  readonly hedge?: boolean;
  /** Attempts after the first one, at most `maxRetries`. */
  readonly retries?: number;
  /** Largest body that is buffered so that it can be sent again, bytes; at most `maxReplayBytes`. */
  readonly replayBytes?: number;
  /** Longest time without a byte of a client's body, milliseconds; 0: any. */
  readonly bodyTimeoutMs?: number;
};

/** The options that have a value. */
export function definedOptions(
  values: {
    readonly [Name in keyof Required<AttemptOptions>]: AttemptOptions[Name] | undefined;
  },
): AttemptOptions {
  return Object.fromEntries(Object.entries(values).filter(([, value]) => value !== undefined));
}

/** All four attempts may be open at once; the platform would queue a seventh. */
export const maxRetries = 3;
/** Bytes. An isolate has 128 MiB for all of its requests. */
export const maxReplayBytes = 1024 ** 2;
