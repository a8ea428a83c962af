// An attempt: one request sent to one target, and its outcome.

import type { DialPolicy } from "../proxy/plane.ts";
import type { OpenRequest } from "../proxy/resilience/open-requests.ts";
import type { Target } from "../proxy/routing/target-pool.ts";
import { type AttemptReason, countEjection, countOutcome, countSent } from "./counting.ts";
import type { Forwarding } from "./forwarding.ts";

/** A response whose body is unread; `failed` when the connection failed before a response began. */
export type Outcome = Response | "failed";

/** One attempt under way. */
export type Attempt = {
  readonly target: Target;
  readonly outcome: Promise<Outcome>;
  /** Epoch milliseconds. */
  readonly sentMs: number;
  /** It was sent while an earlier attempt had no response yet. */
  readonly isHedge: boolean;
  /** The meter's generation when it was sent. */
  readonly generation: number;
};

/**
 * Sends the request to a target.
 *
 * @param open the open request, if the queue has counted it already
 */
export function startAttempt(
  forwarding: Forwarding,
  target: Target,
  reason: AttemptReason,
  sentMs: number,
  open: OpenRequest | null = null,
): Attempt {
  const { incoming, upstream, pool, route, state, countedAt } = forwarding;
  const { plane, path, trace } = incoming;
  if (countedAt !== null) countSent(countedAt, target, reason, state.target);
  state.attempts += 1;
  state.attemptsLeft -= 1;
  state.target = target;
  if (upstream.isRepeatable) {
    state.tried ??= new Set();
    state.tried.add(target.taskId);
  }
  const outcome = dial(plane, target.origin + path, upstream.init, route.service.options?.marker);
  trace?.follow(target, outcome);
  if (pool.tracksOpen) trackOpen(forwarding, outcome, open ?? plane.openRequests.open(target.taskId, sentMs));
  return { target, outcome, sentMs, isHedge: reason === "hedge", generation: plane.meter?.generation ?? 0 };
}

/**
 * Sends a request to one URL. Never rejects.
 *
 * @param marker a header that the target sets on every response. A 502, 503 or 504 without it came from
 *   something on the path, such as a tunnel whose agent is disconnected. Without a marker every response
 *   counts as the target's.
 */
async function dial(
  policy: DialPolicy,
  url: string,
  init: RequestInit,
  marker: string | undefined,
): Promise<Outcome> {
  try {
    const response = await policy.dial(url, init);
    if (response.status < 502 || !isFromIntermediary(response, policy, marker)) return response;
    await response.body?.cancel();
    return "failed";
  } catch {
    // The runtime's errors do not distinguish a refused connection, a reset one and an unknown host name.
    return "failed";
  }
}

/** True if a response came from something on the path to the target. */
function isFromIntermediary(
  { status, headers }: Response,
  policy: DialPolicy,
  marker: string | undefined,
): boolean {
  if (status <= 504) return marker !== undefined && !headers.has(marker);
  return policy.platformStatuses && ((status >= 520 && status <= 527) || status === 530);
}

/**
 * An outcome, or `timeout` when it takes longer than `ms`. The outcome must not reject.
 *
 * The fetch is raced and not aborted: an AbortSignal would stay tied to the body and cost it the runtime's
 * own streaming, and the platform cancels what is left of a request that got its response. The timer is not
 * cleared either: it dies with the request, and clearing it costs more than setting it.
 */
export function within<T>(outcome: Promise<T>, ms: number): Promise<T | "timeout"> {
  return new Promise((resolve) => {
    setTimeout(resolve, ms, "timeout");
    void outcome.then(resolve);
  });
}

/** An attempt with a streaming body counts as open for at most this long, milliseconds. */
const maxUploadMs = 600_000;

/** Counts an attempt as open until its response begins, then serves the queue. */
function trackOpen(
  { incoming, upstream, route }: Forwarding,
  outcome: Promise<Outcome>,
  open: OpenRequest,
): void {
  const { plane, waitUntil } = incoming;
  open.untilMs = plane.nowMs() + (upstream.isTimed ? 2 * plane.headTimeoutMs : maxUploadMs);
  const closed = outcome.then(() => {
    plane.openRequests.close(open);
    plane.queue.serve(route.service.id, plane.nowMs());
  });
  // Runs even if the client disconnects.
  waitUntil(closed);
}

/** Records the outcome of an attempt. */
export function settle(forwarding: Forwarding, attempt: Attempt, outcome: Outcome): Outcome {
  const { incoming, upstream, stats, state, countedAt } = forwarding;
  const { plane } = incoming;
  const { target, sentMs } = attempt;
  const nowMs = plane.nowMs();
  // A hedge's timer may have fired before the clock showed it, so that sentMs lies ahead.
  const elapsedMs = Math.max(0, nowMs - sentMs);
  if (countedAt !== null) countOutcome(countedAt, attempt, outcome, elapsedMs, upstream.isTimed);
  if (plane.frozenDetector.hasAny) plane.frozenDetector.responded(target.taskId);
  if (outcome === "failed") {
    // A client that stops sending a streaming body also fails the attempt, so the target may be healthy.
    if (upstream.isTimed) eject(forwarding, target);
    return outcome;
  }
  state.target = target;
  if (plane.outliers.hasAny) plane.outliers.responded(target.taskId, nowMs);
  if (upstream.isHedgeable) stats.latency.record(elapsedMs, nowMs);
  return outcome;
}

/** Ejects a target and notes it for the next report to the registry. */
export function eject({ incoming, countedAt }: Forwarding, target: Target): void {
  const { plane } = incoming;
  if (!plane.outliers.failed(target.taskId, plane.nowMs())) return;
  plane.suspects.add(target.taskId);
  if (countedAt !== null) countEjection(countedAt, target);
}

/** Cancels the response of an attempt that lost. Resolves when that attempt has ended. */
export async function discard({ outcome }: Attempt): Promise<void> {
  const response = await outcome;
  if (response === "failed") return;
  const { webSocket } = response as UpgradedResponse;
  if (webSocket === undefined || webSocket === null) {
    await response.body?.cancel().catch(() => undefined);
    return;
  }
  // An unaccepted socket would stay open as long as the winner's.
  webSocket.accept();
  webSocket.close(goingAway, "another task responded first");
}

/** RFC 6455 §7.4.1. */
const goingAway = 1001;

/** A response of the Workers runtime: the response to an upgrade holds the socket. */
type UpgradedResponse = {
  readonly webSocket?: { accept(): void; close(code: number, reason: string): void } | null;
};
