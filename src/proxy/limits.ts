// Limits: the timeouts and buffer sizes of the data plane, read from the variables of its Worker.

export type Limits = {
  /**
   * Time until a response must begin, for all attempts together, milliseconds. It starts again after a wait
   * in the request queue and with a fresh table. A response that has begun is never cut off.
   */
  readonly headTimeoutMs: number;
  /**
   * Time of one attempt before a repeatable request goes to another task, milliseconds; null turns it off.
   */
  readonly tryTimeoutMs: number | null;
  /** A task that responds to no request for this long counts as frozen, milliseconds; null turns it off. */
  readonly frozenMs: number | null;
  /** Largest body that is buffered so that it can be sent again, bytes. */
  readonly replayBytes: number;
};

export const defaultLimits: Limits = {
  headTimeoutMs: 30_000,
  tryTimeoutMs: null,
  frozenMs: 3_000,
  replayBytes: 64 * 1024,
};

/** The variables. An absent or empty one leaves the default. */
export type LimitVariables = {
  readonly HEAD_TIMEOUT_MS?: string;
  readonly TRY_TIMEOUT_MS?: string;
  readonly SILENT_MS?: string;
  readonly REPLAY_BYTES?: string;
};

/** The platform ends a request that waits longer than this, milliseconds. */
const maxTimeoutMs = 600_000;
/** Bytes. An isolate has 128 MiB for all of its requests. */
const maxReplayBytes = 1024 ** 2;

/**
 * Reads the limits.
 *
 * @throws Error naming the variable, what was read and what would work
 */
export function readLimits(variables: LimitVariables): Limits {
  const { HEAD_TIMEOUT_MS, TRY_TIMEOUT_MS, SILENT_MS, REPLAY_BYTES } = variables;
  const { headTimeoutMs, frozenMs, replayBytes } = defaultLimits;
  return {
    headTimeoutMs: readWholeNumber("HEAD_TIMEOUT_MS", HEAD_TIMEOUT_MS, 1, maxTimeoutMs) ?? headTimeoutMs,
    tryTimeoutMs: zeroAsNull(readWholeNumber("TRY_TIMEOUT_MS", TRY_TIMEOUT_MS, 0, maxTimeoutMs) ?? 0),
    frozenMs: zeroAsNull(readWholeNumber("SILENT_MS", SILENT_MS, 0, maxTimeoutMs) ?? frozenMs ?? 0),
    replayBytes: readWholeNumber("REPLAY_BYTES", REPLAY_BYTES, 0, maxReplayBytes) ?? replayBytes,
  };
}

/** 0 turns a limit off. */
function zeroAsNull(ms: number): number | null {
  return ms === 0 ? null : ms;
}

function readWholeNumber(name: string, text: string | undefined, min: number, max: number): number | null {
  if (text === undefined || text === "") return null;
  const value = /^\d{1,9}$/.test(text) ? Number(text) : Number.NaN;
  if (value >= min && value <= max) return value;
  throw new Error(`cannot read variable ${name}="${text}": write a whole number from ${min} to ${max}`);
}
