// Units of the Engine API: durations are nanoseconds there and milliseconds in the mesh, times are RFC 3339
// text.

/** Rounds away from 0, so that a short wait does not become 0, and a negative one stays negative. */
export function nanosToMs(nanos: number): number {
  return nanos < 0 ? Math.floor(nanos / 1e6) : Math.ceil(nanos / 1e6);
}

/** Epoch milliseconds as `2026-11-23T10:00:00.123Z` (RFC 3339, which Go's RFC3339Nano reads). */
export function timeText(atMs: number): string {
  return new Date(atMs).toISOString();
}
