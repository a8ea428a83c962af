// The event log: events numbered without a gap, in two trails with a quota of their own. What nodes and the
// registry do cannot push out what operators did.

import { isByOperator, type MeshEvent, maxEventsOfTrail, type NewEvent } from "../domain/model/event.ts";
import { maxRisingNumber, type SqlDatabase, type SqlRow, upsertBy } from "../storage/sql-database.ts";

/** `operator`: what people did. `mesh`: what nodes and the registry did. */
const trails = ["operator", "mesh"] as const;
type EventTrail = (typeof trails)[number];

/** The last numbers of a trail: `place` counts its own events, `seq` those of both. */
type TrailEnd = { readonly place: number; readonly seq: number };

/** Numbers and stores events in the given order, above `minSeq`, and returns them as stored. */
export function appendEvents(
  database: SqlDatabase,
  newEvents: readonly NewEvent[],
  nowMs: number,
  minSeq = 0,
): readonly MeshEvent[] {
  if (newEvents.length === 0) return [];
  // The newest event of a trail is never deleted, so its numbers are the last ones assigned.
  const ends = { operator: trailEnd(database, "operator"), mesh: trailEnd(database, "mesh") };
  const lastSeq = Math.max(ends.operator.seq, ends.mesh.seq, minSeq);
  const events = newEvents.map((event, index) => ({ ...event, seq: lastSeq + 1 + index, atMs: nowMs }));
  for (const trail of trails) appendToTrail(database, trail, ends[trail], events);
  return events;
}

/** Events numbered above `sinceSeq`, oldest first, at most `limit`. */
export function readEvents(database: SqlDatabase, sinceSeq: number, limit: number): readonly MeshEvent[] {
  return database
    .exec("SELECT seq, at_ms, body FROM event_log WHERE seq > ? ORDER BY seq LIMIT ?", sinceSeq, limit)
    .map(eventOf);
}

/** The number of the newest event; 0 without one. Numbers that are not below `maxRisingNumber` are ignored. */
export function lastEventSeq(database: SqlDatabase): number {
  const [row] = database.exec(
    "SELECT seq FROM event_log WHERE typeof(seq) = 'integer' AND seq < ? ORDER BY seq DESC LIMIT 1",
    maxRisingNumber,
  );
  return Number(row?.seq ?? 0);
}

/** True if each event has whole numbers from 0 up to `maxRisingNumber`. */
export function areEventNumbersUsable(database: SqlDatabase): boolean {
  const conditions = ["place", "seq", "at_ms"].map(
    (column) => `typeof(${column}) <> 'integer' OR ${column} < 0 OR ${column} >= ${maxRisingNumber}`,
  );
  const sql = `SELECT 1 AS found FROM event_log WHERE ${conditions.join(" OR ")} LIMIT 1`;
  return database.exec(sql).length === 0;
}

/** The newest events, oldest first, at most `limit`. */
export function readNewestEvents(database: SqlDatabase, limit: number): readonly MeshEvent[] {
  return database
    .exec("SELECT seq, at_ms, body FROM event_log ORDER BY seq DESC LIMIT ?", limit)
    .map(eventOf)
    .reverse();
}

function appendToTrail(
  database: SqlDatabase,
  trail: EventTrail,
  { place }: TrailEnd,
  events: readonly MeshEvent[],
): void {
  const own = events.filter((event) => isByOperator(event) === (trail === "operator"));
  if (own.length === 0) return;
  const rows = own
    .map(({ seq, atMs, ...body }, index) => [trail, place + 1 + index, seq, atMs, JSON.stringify(body)])
    .slice(-maxEventsOfTrail);
  upsertBy(database, "event_log", ["trail", "place"], ["trail", "place", "seq", "at_ms", "body"], rows);
  const oldest = place + own.length - maxEventsOfTrail;
  database.exec("DELETE FROM event_log WHERE trail = ? AND place <= ?", trail, oldest);
}

function trailEnd(database: SqlDatabase, trail: EventTrail): TrailEnd {
  const [row] = database.exec(
    "SELECT place, seq FROM event_log WHERE trail = ? ORDER BY place DESC LIMIT 1",
    trail,
  );
  return { place: Number(row?.place ?? 0), seq: Number(row?.seq ?? 0) };
}

function eventOf({ seq, at_ms, body }: SqlRow): MeshEvent {
  return { ...(JSON.parse(String(body)) as NewEvent), seq: Number(seq), atMs: Number(at_ms) };
}
