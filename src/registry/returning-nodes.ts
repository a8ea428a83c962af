// Nodes that a restored mesh waits for: their agents may have to be started with its URL first. Until they return, or
// their time is over, they keep the state that the backup had, so that their tasks are not replaced.

import type { RegistryStore } from "./store.ts";

/** Of the last restore, both epoch milliseconds: when it was, and until when nodes may return. */
type Returning = { readonly sinceMs: number; readonly untilMs: number };

export function awaitNodes(store: RegistryStore, returning: Returning): void {
  store.setMeta("returning", JSON.stringify(returning));
}

/**
 * Until when nodes may return that lost their socket at the restore or before; null if no node is waited for. A clock
 * that was set back does not make the wait longer.
 */
export function returningNodes(store: RegistryStore, nowMs: number): Returning | null {
  const stored = JSON.parse(store.meta("returning") ?? "null") as Returning | null;
  if (stored === null || stored.untilMs <= nowMs) return null;
  const untilMs = Math.min(stored.untilMs, nowMs + (stored.untilMs - stored.sinceMs));
  return { ...stored, untilMs };
}
