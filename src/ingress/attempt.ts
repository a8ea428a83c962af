// An attempt: one request sent to one target, and its outcome.

import type { DialPolicy, Exit } from "../proxy/plane.ts";
import type { OpenRequest } from "../proxy/resilience/open-requests.ts";
import { addSilence } from "../proxy/resilience/silence.ts";
import type { Target } from "../proxy/routing/target-pool.ts";
import type { BodyFault, ClientBody } from "./client-body.ts";
import { type AttemptReason, countEjection, countOutcome, countSent } from "./counting.ts";
import { dialExit, type ServerTarget } from "./exit-attempt.ts";
import type { Forwarding } from "./forwarding.ts";
import { dialGateway, type GatewayTarget, type Undelivered } from "./gateway-attempt.ts";
import { wasNotConnected } from "./platform-failure.ts";
import { type ProxyRequest, sentTarget } from "./proxy-request.ts";
import type { UpstreamRequest } from "./upstream-request.ts";

/**
 * A response whose body is unread; `failed` when the connection failed before a response began; why the
 * request was not delivered; or the client's fault.
 */
export type Outcome = Response | "failed" | Undelivered | BodyFault;

/** True if the request was not delivered, so that any request may go on to another target. */
export function isUndelivered(outcome: Outcome | "frozen" | "timeout"): outcome is Undelivered {
  return outcome === "refused" || outcome === "gone" || outcome === "full" || outcome === "unreached";
}

/** One attempt under way. */
export type Attempt = {
  readonly target: Target;
  readonly outcome: Promise<Outcome>;
  /** Epoch milliseconds. */
  readonly sentMs: number;
  /** It was sent while an earlier attempt had no response yet. */
  readonly isHedge: boolean;
  /** The meter's generation in which it was counted as open, or renewed. */
  generation: number;
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
  const { incoming, upstream, pool, route, state, stats, countedAt } = forwarding;
  const { plane, path, trace } = incoming;
  if (countedAt !== null) countSent(countedAt, target, reason, state.target);
  state.attempts += 1;
  state.attemptsLeft -= 1;
  state.target = target;
  const { options } = route.service;
  // Most requests are as `fetch` sends them, which costs less than the exit.
  const sentPath = incoming.target === path ? path : sentTarget(incoming);
  const isExact = sentPath === path && upstream.isRepeatable && options?.hostHeader === undefined;
  const exit = isExact || target.gateway !== null ? null : plane.exit;
  if (upstream.isRepeatable || target.gateway !== null || exit !== null || plane.platformStatuses) {
    state.tried ??= new Set();
    state.tried.add(target.taskId);
  }
  if (!upstream.streams) {
    const silence = stats.silences.get(target.taskId) ?? addSilence(stats.silences, target.taskId);
    if (silence.firstMs === 0) silence.firstMs = sentMs;
    else if (silence.secondMs === 0) silence.secondMs = sentMs;
  }
  const sent = target.gateway
    ? dialGateway(
        incoming,
        upstream,
        target as GatewayTarget,
        sentPath,
        options?.hostHeader,
        // The attempt at this target is in the list already.
        state.tried !== null && state.tried.size >= pool.ids.length,
      )
    : exit !== null
      ? dialThroughExit(forwarding, target as ServerTarget, exit)
      : dial(plane, target.origin + path, upstream, options?.marker);
  const outcome = state.clientBody === null ? sent : withClientBody(incoming, sent, state.clientBody);
  trace?.follow(target, outcome);
  if (pool.tracksOpen) trackOpen(forwarding, outcome, open ?? plane.openRequests.open(target.taskId, sentMs));
  return { target, outcome, sentMs, isHedge: reason === "hedge", generation: plane.meter?.generation ?? 0 };
}

/**
 * Sends a request to one URL. Never rejects.
 *
 * @returns `refused` if the platform says that it did not connect, and the body can be sent again
 * @param marker a header that the target sets on every response. A 502, 503 or 504 without it came from
 *   something on the path, such as a tunnel whose agent is disconnected. Without a marker every response
 *   counts as the target's.
 */
async function dial(
  policy: DialPolicy,
  url: string,
  { init, streams }: UpstreamRequest,
  marker: string | undefined,
): Promise<Response | "failed" | "refused"> {
  try {
    const response = await policy.dial(url, init);
    if (response.status < 502 || !isFromIntermediary(response, policy, marker)) return response;
    if (!streams && (await wasNotConnected(response))) return "refused";
    if (!response.bodyUsed) await response.body?.cancel();
    return "failed";
  } catch {
    // The runtime's errors do not distinguish a refused connection, a reset one and an unknown host name.
    return "failed";
  }
}

/** As `dial`, through the exit. */
async function dialThroughExit(
  { incoming, upstream, route }: Forwarding,
  target: ServerTarget,
  exit: Exit,
): Promise<Response | "failed" | Undelivered> {
  const { hostHeader, marker } = route.service.options ?? {};
  const result = await dialExit(incoming, upstream, target, exit, hostHeader);
  if (!(result instanceof Response) || result.status < 502) return result;
  if (!isFromIntermediary(result, incoming.plane, marker)) return result;
  await result.body?.cancel();
  return "failed";
}

/** Passes the client's body, and distinguishes the client's failure from the target's. */
async function withClientBody(
  { waitUntil }: ProxyRequest,
  sent: Promise<Outcome>,
  body: ClientBody,
): Promise<Outcome> {
  // Continues after an early response.
  waitUntil(body.pass());
  const outcome = await sent;
  // What was not delivered leaves the body to the next attempt.
  if (!isUndelivered(outcome)) body.endWatch();
  return outcome === "failed" ? ((await body.fault) ?? outcome) : outcome;
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

/** An attempt counts as open for at most this long, milliseconds: the end of a long one may go unnoticed. */
const maxOpenMs = 600_000;

/** Counts an attempt as open until its response begins, then serves the queue. */
function trackOpen(
  { incoming, upstream, policy, route }: Forwarding,
  outcome: Promise<Outcome>,
  open: OpenRequest,
): void {
  const { plane, waitUntil } = incoming;
  const maxMs = upstream.streams ? maxOpenMs : Math.min(maxOpenMs, 2 * policy.headTimeoutMs);
  open.untilMs = plane.nowMs() + maxMs;
  const close = () => {
    plane.openRequests.close(open);
    plane.queue.serve(route.service.id, plane.nowMs());
  };
  // Runs even if the client disconnects. It must not wait for the outcome then: the request to the task would
  // stay open as long.
  const clientGone = new Promise((resolve) => incoming.request.signal.addEventListener("abort", resolve));
  waitUntil(Promise.race([outcome, clientGone]).then(close));
}

/** Records the outcome of an attempt. */
export function settle(forwarding: Forwarding, attempt: Attempt, outcome: Outcome): Outcome {
  const { incoming, upstream, stats, state, countedAt } = forwarding;
  const { plane } = incoming;
  const { target, sentMs } = attempt;
  const nowMs = plane.nowMs();
  // A hedge's timer may have fired before the clock showed it, so that sentMs lies ahead.
  const elapsedMs = Math.max(0, nowMs - sentMs);
  // Without a watched body a failure while it streams may be the client's.
  const isTargets = !upstream.streams || state.clientBody !== null;
  if (countedAt !== null) countOutcome(countedAt, attempt, outcome, elapsedMs, isTargets);
  if (outcome === "body-broken" || outcome === "body-stalled") return outcome;
  if (plane.frozenDetector.hasAny) plane.frozenDetector.responded(target.taskId);
  const silence = stats.silences.get(target.taskId);
  // As `endSilence`; most requests come here, and respondedMs needs the record as well.
  if (silence !== undefined) {
    silence.firstMs = 0;
    silence.secondMs = 0;
  }
  if (typeof outcome === "string") {
    if (outcome === "gone") plane.link.expire(nowMs);
    if (outcome === "failed" ? isTargets : outcome !== "full") eject(forwarding, target);
    return outcome;
  }
  if (silence !== undefined && silence.respondedMs < sentMs) silence.respondedMs = sentMs;
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
  if (!(response instanceof Response)) return;
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
