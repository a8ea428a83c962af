// The event log: the newest thousand events, numbered without a gap.

import type { MeshEvent, NewEvent } from "../domain/model/event.ts";
import { type SqlDatabase, upsert } from "../storage/sql-database.ts";

/** Older events are deleted: enough to follow an incident, small enough to read whole. */
export const maxEventsKept = 1_000;

/** Numbers and stores events in the given order, and returns them as stored. */
export function appendEvents(
  database: SqlDatabase,
  newEvents: readonly NewEvent[],
  nowMs: number,
): readonly MeshEvent[] {
  if (newEvents.length === 0) return [];
  // The newest event is never deleted, so its number is the last one assigned.
  const last = newestSeq(database);
  const events = newEvents.map((event, index) => ({ ...event, seq: last + 1 + index, atMs: nowMs }));
  const rows = events
    .slice(-maxEventsKept)
    .map(({ seq, atMs, ...body }) => [seq, atMs, JSON.stringify(body)]);
  upsert(database, "events", ["seq", "at_ms", "body"], rows);
  database.exec("DELETE FROM events WHERE seq <= ?", last + events.length - maxEventsKept);
  return events;
}

/** Events numbered above `sinceSeq`, oldest first, at most `limit`. */
export function readEvents(database: SqlDatabase, sinceSeq: number, limit: number): readonly MeshEvent[] {
  const rows = database.exec(
    "SELECT seq, at_ms, body FROM events WHERE seq > ? ORDER BY seq LIMIT ?",
    sinceSeq,
    limit,
  );
  return rows.map(({ seq, at_ms, body }) => ({
    ...(JSON.parse(String(body)) as NewEvent),
    seq: Number(seq),
    atMs: Number(at_ms),
  }));
}

function newestSeq(database: SqlDatabase): number {
  return Number(database.exec("SELECT coalesce(max(seq), 0) AS newest FROM events")[0]?.newest);
}
