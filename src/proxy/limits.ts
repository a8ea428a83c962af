// Limits: how long the data plane waits and how much it holds, as the variables of its Worker say.

export type Limits = {
  /** How long a task may take to begin its answer, all attempts together, milliseconds. Never cuts one that has begun. */
  readonly headTimeoutMs: number;
  /** How long one attempt may take before a request that may be repeated is asked of another task; null: no bound. */
  readonly tryTimeoutMs: number | null;
  /** A task that answered nothing at all for so long is taken for frozen, milliseconds; null: never. */
  readonly frozenMs: number | null;
  /** Largest body that is held so that it can be sent again, bytes. */
  readonly replayBytes: number;
};

export const defaultLimits: Limits = {
  headTimeoutMs: 30_000,
  tryTimeoutMs: null,
  frozenMs: 3_000,
  replayBytes: 64 * 1024,
};

/** The variables; one that is absent or empty leaves the default. */
export type LimitVariables = {
  readonly HEAD_TIMEOUT_MS?: string;
  readonly TRY_TIMEOUT_MS?: string;
  readonly SILENT_MS?: string;
  readonly REPLAY_BYTES?: string;
};

/** The platform ends a request that waits for longer than this; milliseconds. */
const maxTimeoutMs = 600_000;
/** An isolate has 128 MiB, for all the requests it holds at a time. */
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

/** 0 says that there is no such bound. */
function zeroAsNull(ms: number): number | null {
  return ms === 0 ? null : ms;
}

function readWholeNumber(name: string, text: string | undefined, least: number, most: number): number | null {
  if (text === undefined || text === "") return null;
  const value = /^\d{1,9}$/.test(text) ? Number(text) : Number.NaN;
  if (value >= least && value <= most) return value;
  throw new Error(`cannot read variable ${name}="${text}": write a whole number from ${least} to ${most}`);
}
