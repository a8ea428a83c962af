// The open sessions of the dashboard: sign-ins that have neither expired nor signed out.
//
// They are listed, rather than those that were signed out, so that the list can be bounded: forgetting a session
// ends it, while forgetting a sign-out would open it again.

import type { RegistryStore } from "./store.ts";

/** The token that a session was opened with. */
export type SessionRole = "operator" | "viewer";

/** Of each role. Beyond this number the oldest session of the role ends: a viewer signs out no operator. */
const maxSessionsOfRole = 500;

/** Oldest sign-in first; `untilMs` is the expiry, epoch milliseconds. */
type OpenSessions = readonly (readonly [id: string, untilMs: number, role: SessionRole])[];

/** Opens a session until `untilMs`, and forgets expired ones. Opening it again changes nothing. */
export function openSession(
  store: RegistryStore,
  { id, untilMs, role }: { readonly id: string; readonly untilMs: number; readonly role: SessionRole },
  nowMs: number,
): void {
  const live = readSessions(store).filter(([other, endsAtMs]) => other !== id && endsAtMs > nowMs);
  const ofRole = live.filter(([, , other]) => other === role);
  const ended = new Set(ofRole.slice(0, Math.max(0, ofRole.length + 1 - maxSessionsOfRole)));
  writeSessions(store, [...live.filter((session) => !ended.has(session)), [id, untilMs, role]]);
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

/** An earlier release stored no role. */
type StoredSession = readonly [id: string, untilMs: number, role?: SessionRole];

function readSessions(store: RegistryStore): OpenSessions {
  const stored = JSON.parse(store.meta("sessions") ?? "[]") as readonly StoredSession[];
  return stored.map(([id, untilMs, role = "operator"]) => [id, untilMs, role]);
}

function writeSessions(store: RegistryStore, sessions: OpenSessions): void {
  store.setMeta("sessions", JSON.stringify(sessions));
}
