// Waiting in line for a task that has fewer open requests than it may have.

import { goneMs, lookMs, type Place } from "../proxy/lines.ts";
import type { OpenRequest } from "../proxy/open-requests.ts";
import type { Target } from "../proxy/ring.ts";
import { type Asking, pick } from "./asking.ts";
import { countInLine, countOutOfLine } from "./counting.ts";

/** A task, with the request already counted as open; or the line is full; or waiting took too long. */
export type Waited = { readonly target: Target; readonly open: OpenRequest } | "full" | "late";

/** Whether some task is left for a request that none was picked for: all that are left are full. */
export function mustWait({ ring, tried, wish }: Asking): boolean {
  if (!ring.limited) return false;
  const isLeft = ({ taskId }: Target) => tried?.has(taskId) !== true;
  return (
    [ring, ring.backups].some((one) => one?.targets.some(isLeft)) || (wish?.kept != null && isLeft(wish.kept))
  );
}

/** Gets in line, and waits for its turn as long as the service lets it. */
export async function waitInLine(asking: Asking): Promise<Waited> {
  const { plane, serviceId, ring, counted, waitUntil } = asking;
  if (plane.lines.waiting(serviceId, plane.nowMs()) >= ring.rules.queue) return "full";
  const turn = counted === null ? 0 : countInLine(counted);
  // Told while it waits: where nothing gets on, no request ends that would tell of it.
  plane.flusher?.plan(plane.nowMs(), waitUntil);
  const waited = await waitForTurn(asking);
  if (counted !== null) countOutOfLine(counted, turn);
  return waited;
}

async function waitForTurn(asking: Asking): Promise<Waited> {
  const { plane, serviceId, ring } = asking;
  const { lines, open } = plane;
  const startedMs = plane.nowMs();
  let given: Exclude<Waited, string> | null = null as Exclude<Waited, string> | null;
  const place: Place = {
    seenMs: startedMs,
    choosy: asking.wish?.kept != null || (asking.tried?.size ?? 0) > 0,
    take: (nowMs) => {
      const target = pick(asking);
      if (target !== null) given = { target, open: open.open(target.taskId, nowMs + goneMs) };
      return target !== null;
    },
  };
  for (let nowMs = startedMs; ; nowMs = plane.nowMs()) {
    // Nobody looked for so long that it was given to no one: back to the end of the line.
    if (given !== null && given.open.untilMs <= nowMs) {
      open.close(given.open);
      given = null;
    }
    if (given === null) lines.look(serviceId, place, nowMs);
    if (given !== null) return given;
    if (nowMs - startedMs >= ring.rules.queueTimeoutMs) break;
    await new Promise((resolve) => setTimeout(resolve, lookMs));
  }
  lines.leave(serviceId, place);
  return "late";
}
