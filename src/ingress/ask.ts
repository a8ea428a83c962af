// Asking the tasks of a service, one after another when they cannot be reached, and several at once when they keep a
// request waiting that may be asked twice.

import { within } from "../proxy/attempt.ts";
import type { Target } from "../proxy/ring.ts";
import { type Asking, nextTarget, send, settle } from "./asking.ts";
import { lookMs, type Raced, race } from "./race.ts";

/** A task's answer; or why there is none: `spent` when there is no budget to ask on. */
export type Asked = Raced | "spent";

/** Asks until a task answers, none is left, or the head time-out ends. */
export async function ask(asking: Asking): Promise<Asked> {
  const { plane, traffic, outgoing } = asking;
  const startedMs = plane.nowMs();
  const endsMs = startedMs + plane.headTimeoutMs;
  traffic.retries.request(startedMs);
  if (outgoing.hedgeable) traffic.hedges.request(startedMs);
  while (asking.left > 0) {
    if (asking.attempts > 0 && !traffic.retries.take(plane.nowMs())) return "spent";
    const target = nextTarget(asking);
    if (target === null) break;
    const asked = await askOne(asking, target, endsMs);
    if (asked !== "failed") return asked;
    if (!outgoing.repeatable) break;
  }
  return "failed";
}

async function askOne(asking: Asking, target: Target, endsMs: number): Promise<Raced> {
  const { traffic, outgoing, ring } = asking;
  const sent = send(asking, target, asking.attempts === 0 ? "first" : "retry");
  // How long a streaming body takes is up to the client.
  if (!outgoing.timed) return settle(asking, sent, await sent.outcome);
  const patienceMs = outgoing.hedgeable && ring.ids.length > 1 ? traffic.latency.hedgeAfterMs : lookMs;
  const soon = await within(sent.outcome, Math.min(patienceMs, endsMs - sent.ms));
  return soon === "slow" ? race(asking, sent, endsMs) : settle(asking, sent, soon);
}
