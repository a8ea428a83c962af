// The open sessions of the dashboard: sign-ins that have neither expired nor signed out.
//
// They are listed, rather than those that were signed out, so that the list can be bounded: forgetting a session
// ends it, while forgetting a sign-out would open it again.

import type { RegistryStore } from "./store.ts";

/** Beyond this number the oldest session ends. */
const maxSessions = 1_000;

/** By session id, its expiry in epoch milliseconds; oldest sign-in first. */
type OpenSessions = readonly (readonly [id: string, untilMs: number])[];

/** Opens a session until `untilMs`, and forgets expired ones. Opening it again changes nothing. */
export function openSession(store: RegistryStore, id: string, untilMs: number, nowMs: number): void {
  const live = readSessions(store).filter(([other, endsAtMs]) => other !== id && endsAtMs > nowMs);
  writeSessions(store, [...live, [id, untilMs] as const].slice(-maxSessions));
}

export function isSessionOpen(store: RegistryStore, id: string, nowMs: number): boolean {
  return readSessions(store).some(([other, endsAtMs]) => other === id && endsAtMs > nowMs);
}

export function closeSession(store: RegistryStore, id: string): void {
  writeSessions(
    store,
    readSessions(store).filter(([other]) => other !== id),
  );
}

function readSessions(store: RegistryStore): OpenSessions {
  return JSON.parse(store.meta("sessions") ?? "[]") as OpenSessions;
}

function writeSessions(store: RegistryStore, sessions: OpenSessions): void {
  store.setMeta("sessions", JSON.stringify(sessions));
}
