// Waiting in line for a task that has fewer open requests than it may have.

import type { OpenRequest } from "../proxy/resilience/open-requests.ts";
import { abandonedMs, queuePollMs, type Waiter } from "../proxy/resilience/request-queue.ts";
import type { Target } from "../proxy/routing/target-pool.ts";
import { type Forwarding, pick } from "./attempt.ts";
import { countInLine, countOutOfLine } from "./counting.ts";

/** A task, with the request already counted as open; or the line is full; or waiting took too long. */
export type Waited = { readonly target: Target; readonly open: OpenRequest } | "full" | "late";

/** Whether some task is left for a request that none was picked for: all that are left are full. */
export function mustWait({ ring, tried, wish }: Forwarding): boolean {
  if (!ring.hasMaxconn) return false;
  const isLeft = ({ taskId }: Target) => tried?.has(taskId) !== true;
  return (
    [ring, ring.backups].some((one) => one?.targets.some(isLeft)) || (wish?.kept != null && isLeft(wish.kept))
  );
}

/** Gets in line, and waits for its turn as long as the service lets it. */
export async function waitInLine(asking: Forwarding): Promise<Waited> {
  const { plane, serviceId, ring, counted, waitUntil } = asking;
  if (plane.queue.length(serviceId, plane.nowMs()) >= ring.rules.queue) return "full";
  const turn = counted === null ? 0 : countInLine(counted);
  // Told while it waits: where nothing gets on, no request ends that would tell of it.
  plane.flusher?.schedule(plane.nowMs(), waitUntil);
  const waited = await waitForTurn(asking);
  if (counted !== null) countOutOfLine(counted, turn);
  return waited;
}

async function waitForTurn(asking: Forwarding): Promise<Waited> {
  const { plane, serviceId, ring } = asking;
  const { queue, open } = plane;
  const startedMs = plane.nowMs();
  let given: Exclude<Waited, string> | null = null as Exclude<Waited, string> | null;
  const place: Waiter = {
    polledMs: startedMs,
    isSelective: asking.wish?.kept != null || (asking.tried?.size ?? 0) > 0,
    take: (nowMs) => {
      const target = pick(asking);
      if (target !== null) given = { target, open: open.open(target.taskId, nowMs + abandonedMs) };
      return target !== null;
    },
  };
  for (let nowMs = startedMs; ; nowMs = plane.nowMs()) {
    // Nobody looked for so long that it was given to no one: back to the end of the line.
    if (given !== null && given.open.untilMs <= nowMs) {
      open.close(given.open);
      given = null;
    }
    if (given === null) queue.poll(serviceId, place, nowMs);
    if (given !== null) return given;
    if (nowMs - startedMs >= ring.rules.queueTimeoutMs) break;
    await new Promise((resolve) => setTimeout(resolve, queuePollMs));
  }
  queue.leave(serviceId, place);
  return "late";
}
