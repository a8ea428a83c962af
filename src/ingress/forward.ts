// Asking the tasks of a service, one after another when they cannot be reached, and several at once when they keep a
// request waiting that may be asked twice.

import { within } from "../proxy/http/dial.ts";
import type { OpenRequest } from "../proxy/resilience/open-requests.ts";
import { type Attempt, type Forwarding, nextTarget, send, settle } from "./attempt.ts";
import { attemptPollMs, type Raced, race } from "./hedge.ts";
import { mustWait, waitInLine } from "./queue.ts";

/** A task's answer; or why there is none: `spent` when there is no budget to ask on, `full` and
 * `late` when all tasks had as many open requests as they may and too many waited, or too long. */
export type ForwardResult = Raced | "spent" | "full" | "late";

/** Asks until a task answers, none is left, or the head time-out ends. */
export async function forward(asking: Forwarding): Promise<ForwardResult> {
  const { plane, traffic, outgoing } = asking;
  const startedMs = plane.nowMs();
  let endsMs = startedMs + plane.headTimeoutMs;
  traffic.retries.request(startedMs);
  if (outgoing.hedgeable) traffic.hedges.request(startedMs);
  while (asking.left > 0) {
    if (asking.attempts > 0 && !traffic.retries.take(plane.nowMs())) return "spent";
    let target = nextTarget(asking);
    let open: OpenRequest | null = null;
    if (target === null && mustWait(asking)) {
      const sinceMs = plane.nowMs();
      const waited = await waitInLine(asking);
      asking.waitedMs += plane.nowMs() - sinceMs;
      if (typeof waited === "string") return waited;
      ({ target, open } = waited);
      endsMs = plane.nowMs() + plane.headTimeoutMs;
    }
    if (target === null) break;
    const sent = send(asking, target, asking.attempts === 0 ? "first" : "retry", open);
    // How long a streaming body takes is up to the client.
    const outcome = await (outgoing.timed
      ? within(sent.outcome, patienceMs(asking, sent, endsMs))
      : sent.outcome);
    const asked = outcome === "slow" ? await race(asking, sent, endsMs) : settle(asking, sent, outcome);
    if (asked !== "failed") return asked;
    if (!outgoing.repeatable) break;
  }
  return "failed";
}

/** How long the first task is waited for before it is looked at what else to do, milliseconds. */
function patienceMs({ traffic, outgoing, ring }: Forwarding, sent: Attempt, endsMs: number): number {
  const wantedMs = outgoing.hedgeable && ring.ids.length > 1 ? traffic.latency.hedgeAfterMs : attemptPollMs;
  return Math.min(wantedMs, endsMs - sent.ms);
}
