// Limits: the timeouts and buffer sizes of the data plane, read from the variables of its Worker; and what
// applies to one request of a service.

import { maxDurationMs } from "../domain/model/measure.ts";
import { type AttemptOptions, maxReplayBytes, maxRetries } from "../domain/table/attempt-options.ts";

/** What applies to services whose labels do not say otherwise. */
export type Limits = {
  /**
   * Time until a response must begin, for all attempts together, milliseconds. It starts again after a wait
   * in the request queue and with a fresh table. A response that has begun is never cut off. Null: 30 s for
   * requests that may be repeated, and any time for others.
   */
  readonly headTimeoutMs: number | null;
  /**
   * Time of one attempt before a repeatable request goes to another task, milliseconds; null turns it off.
   */
  readonly tryTimeoutMs: number | null;
  /**
   * A task that responds to no request for this long counts as frozen, milliseconds; 0: never. Null: 3 s for
   * requests that may be repeated, and never for others.
   */
  readonly silenceMs: number | null;
  /** A request may be sent to a second task while the first may still respond. */
  readonly hedge: boolean;
  /** Attempts after the first one. */
  readonly retries: number;
  /** Largest body that is buffered so that it can be sent again, bytes. */
  readonly replayBytes: number;
  /**
   * Longest time without a byte of a client's body, milliseconds; 0: any. Null: 30 s, for as much of a body as
   * costs no throughput to watch.
   */
  readonly bodyTimeoutMs: number | null;
};

export const defaultLimits: Limits = {
  headTimeoutMs: null,
  tryTimeoutMs: null,
  silenceMs: null,
  hedge: true,
  retries: maxRetries,
  replayBytes: 64 * 1024,
  bodyTimeoutMs: null,
};

/** The variables. An absent or empty one leaves the default. */
export type LimitVariables = {
  readonly HEAD_TIMEOUT_MS?: string;
  readonly TRY_TIMEOUT_MS?: string;
  readonly SILENT_MS?: string;
  readonly HEDGE?: string;
  readonly RETRIES?: string;
  readonly REPLAY_BYTES?: string;
  readonly BODY_TIMEOUT_MS?: string;
};

/**
 * Reads the limits.
 *
 * @throws Error naming the variable, what was read and what would work
 */
export function readLimits(variables: LimitVariables): Limits {
  const number = (name: keyof LimitVariables, min: number, max: number) =>
    readWholeNumber(name, variables[name], min, max);
  const tryTimeoutMs = number("TRY_TIMEOUT_MS", 0, maxDurationMs) ?? 0;
  return {
    headTimeoutMs: number("HEAD_TIMEOUT_MS", 1, maxDurationMs),
    tryTimeoutMs: tryTimeoutMs === 0 ? null : tryTimeoutMs,
    silenceMs: number("SILENT_MS", 0, maxDurationMs),
    hedge: readBoolean("HEDGE", variables.HEDGE) ?? defaultLimits.hedge,
    retries: number("RETRIES", 0, maxRetries) ?? defaultLimits.retries,
    replayBytes: number("REPLAY_BYTES", 0, maxReplayBytes) ?? defaultLimits.replayBytes,
    bodyTimeoutMs: number("BODY_TIMEOUT_MS", 0, maxDurationMs),
  };
}

function readWholeNumber(name: string, text: string | undefined, min: number, max: number): number | null {
  if (text === undefined || text === "") return null;
  const value = /^\d{1,9}$/.test(text) ? Number(text) : Number.NaN;
  if (value >= min && value <= max) return value;
  throw new Error(`cannot read variable ${name}="${text}": write a whole number from ${min} to ${max}`);
}

function readBoolean(name: string, text: string | undefined): boolean | null {
  if (text === undefined || text === "") return null;
  if (text === "true" || text === "false") return text === "true";
  throw new Error(`cannot read variable ${name}="${text}": write true or false`);
}

/** How one request is timed and sent. Times are milliseconds; Infinity: never. */
export type AttemptPolicy = {
  readonly headTimeoutMs: number;
  readonly tryTimeoutMs: number;
  readonly frozenMs: number;
  /** It may be sent to a second target while the first may still respond. */
  readonly hedge: boolean;
  readonly retries: number;
};

const defaultHeadTimeoutMs = 30_000;
const defaultSilenceMs = 3_000;

/**
 * How a request is timed and sent. A request that may not be repeated is in its target's hands once it is
 * sent: it waits for the target as long as that takes, unless a label or a variable sets a time.
 *
 * @param options the service's own, which take precedence over the variables
 * @see docs/spec.md Y32-Y36
 */
export function attemptPolicy(limits: Limits, options: AttemptOptions, isRepeatable: boolean): AttemptPolicy {
  const retries = isRepeatable ? (options.retries ?? limits.retries) : 0;
  const hedge = retries > 0 && (options.hedge ?? limits.hedge);
  const headTimeoutMs = options.headTimeoutMs ?? limits.headTimeoutMs;
  const silenceMs = options.silenceMs ?? limits.silenceMs ?? (isRepeatable ? defaultSilenceMs : 0);
  return {
    headTimeoutMs: headTimeoutMs ?? (isRepeatable ? defaultHeadTimeoutMs : Number.POSITIVE_INFINITY),
    tryTimeoutMs: hedge ? (limits.tryTimeoutMs ?? Number.POSITIVE_INFINITY) : Number.POSITIVE_INFINITY,
    // A repeatable request leaves a frozen target for another one, and has no other with hedging off.
    frozenMs: silenceMs === 0 || (isRepeatable && !hedge) ? Number.POSITIVE_INFINITY : silenceMs,
    hedge,
    retries,
  };
}

/** Longest time without a byte of a client's body by default, milliseconds. */
const defaultBodyTimeoutMs = 30_000;
/** Bytes of a streaming body whose reading is watched by default. A rest of known length streams without the isolate. */
const watchedBytes = 256 * 1024;

/** How a client's body is watched. */
export type BodyWatch = {
  /** Longest time without a byte, milliseconds; Infinity: any. */
  readonly stallMs: number;
  /** After this many bytes of a streaming body only its end is noticed. */
  readonly watchedBytes: number;
};

/**
 * How the client's body of a request is watched: by default at its begin, because passing bytes through the
 * isolate costs throughput; to its end if a label or a variable sets the time.
 *
 * @see docs/decisions/0060-whose-fault.md
 */
export function bodyWatch(
  { bodyTimeoutMs }: Pick<Limits, "bodyTimeoutMs">,
  options: AttemptOptions,
): BodyWatch {
  const asked = options.bodyTimeoutMs ?? bodyTimeoutMs;
  if (asked === 0) return { stallMs: Number.POSITIVE_INFINITY, watchedBytes: 0 };
  if (asked === null) return { stallMs: defaultBodyTimeoutMs, watchedBytes };
  return { stallMs: asked, watchedBytes: Number.POSITIVE_INFINITY };
}
