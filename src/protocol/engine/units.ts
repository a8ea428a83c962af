// Units of the Engine API: durations are nanoseconds there and milliseconds in the mesh, times are RFC 3339 text.

/** Nanoseconds as milliseconds, rounded up, so that a short wait does not become none. */
export function nanosToMs(nanos: number): number {
  return Math.ceil(nanos / 1e6);
}

/** `2026-11-23T10:00:00.123Z` (RFC 3339, as Go's RFC3339Nano reads it) of epoch milliseconds. */
export function timeText(atMs: number): string {
  return new Date(atMs).toISOString();
}
