// Waiting in the request queue for a target with fewer open requests than its maximum.

import type { OpenRequest } from "../proxy/resilience/open-requests.ts";
import type { Waiter } from "../proxy/resilience/request-queue.ts";
import type { Target } from "../proxy/routing/target-pool.ts";
import { countDequeued, countQueued, renewWaits } from "./counting.ts";
import { type Forwarding, pick } from "./forwarding.ts";

/** A target whose open request is already counted. */
type Dequeued = { readonly target: Target; readonly open: OpenRequest };

/** A target, or the reason for having none: the queue was full, or the wait exceeded `queueTimeoutMs`. */
export type QueueResult = Dequeued | "queue-full" | "queue-timeout";

/**
 * True if a request for which no target was picked has untried targets: they are full, or other requests are
 * queued for them.
 */
export function mustQueue({ pool, hints, state }: Forwarding): boolean {
  if (!pool.hasMaxconn) return false;
  const isUntried = ({ taskId }: Target) => state.tried?.has(taskId) !== true;
  const sticky = hints?.stickyTarget ?? null;
  return (
    [pool, pool.backups].some((tier) => tier?.targets.some(isUntried)) ||
    (sticky !== null && isUntried(sticky))
  );
}

/** Joins the queue, waits as long as the service allows, and records both in the request's state. */
export async function waitInQueue(forwarding: Forwarding): Promise<QueueResult> {
  const { incoming, route, pool, state } = forwarding;
  const { plane } = incoming;
  const startedMs = plane.nowMs();
  const isFull = plane.queue.length(route.service.id, startedMs) >= pool.rules.queue || plane.queue.isFull;
  const result = isFull ? "queue-full" : await countWhileQueued(forwarding);
  state.queuedMs += plane.nowMs() - startedMs;
  state.isOverloaded = typeof result === "string";
  return result;
}

async function countWhileQueued(forwarding: Forwarding): Promise<QueueResult> {
  const { incoming, countedAt, state } = forwarding;
  const { plane, waitUntil } = incoming;
  if (countedAt !== null) countQueued(countedAt, state);
  // If no target becomes free, no request ends that would have the queue gauge sent.
  if (countedAt !== null) plane.link.waits(plane.nowMs(), waitUntil);
  const result = await waitForTarget(forwarding);
  if (countedAt !== null) countDequeued(countedAt, state);
  return result;
}

async function waitForTarget(forwarding: Forwarding): Promise<QueueResult> {
  const { incoming, route, pool, hints, state } = forwarding;
  const { plane } = incoming;
  const { queue, openRequests } = plane;
  const { id } = route.service;
  const startedMs = plane.nowMs();
  let taken: Dequeued | null = null as Dequeued | null;
  const waiter: Waiter = {
    isSelective: (hints?.stickyTarget ?? null) !== null || (state.tried?.size ?? 0) > 0,
    take: (nowMs, gapMs) => {
      const target = pick(forwarding);
      if (target !== null) taken = { target, open: openRequests.open(target.taskId, nowMs + gapMs) };
      return target !== null;
    },
  };
  for (let nowMs = startedMs; ; nowMs = plane.nowMs()) {
    // It did not poll in time and its reserved target expired, so it joins the end of the queue again.
    if (taken !== null && taken.open.untilMs <= nowMs) {
      openRequests.close(taken.open);
      taken = null;
    }
    const pollMs = taken === null ? queue.poll(id, waiter, nowMs) : 0;
    if (taken !== null) return taken;
    const leftMs = startedMs + pool.rules.queueTimeoutMs - nowMs;
    if (leftMs <= 0) break;
    await new Promise((resolve) => setTimeout(resolve, Math.min(pollMs, leftMs)));
    renewWaits(forwarding, [], plane.nowMs());
  }
  queue.leave(id, waiter);
  return "queue-timeout";
}
