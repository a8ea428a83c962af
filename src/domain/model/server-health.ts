// A static server's health as the registry keeps it: what each region's checks say, and what that comes to.
//
// Regions are places that checks run from. The counter is the middle one of the regions that are heard, so that the
// server is up when more than half of them find it up; an even split leaves it as it was.

import { counterText, initialCounter, isUp, type RiseFall } from "./check-counter.ts";
import { type CheckResult, checkText } from "./check-result.ts";
import type { AdminState, StaticServer } from "./server.ts";

/** What one region's checks say. */
export type RegionHealth = {
  readonly counter: number;
  /** Failed checks while the counter stood above 0, since the checks began. */
  readonly fails: number;
  /** Null: none has ended yet. */
  readonly last: CheckResult | null;
};

export type ServerHealth = {
  readonly counter: number;
  readonly up: boolean;
  /** When `up` last changed, or the server went to or came from maintenance; epoch milliseconds. */
  readonly sinceMs: number;
  readonly last: CheckResult | null;
  readonly fails: number;
  /** How often it went down. */
  readonly downs: number;
  /** How long it was down before `sinceMs`, milliseconds. */
  readonly downMs: number;
  readonly regions: Readonly<Record<string, RegionHealth>>;
};

/** Health of a server whose checks begin. */
export function initialServerHealth(check: RiseFall, nowMs: number): ServerHealth {
  const counter = initialCounter(check);
  return { counter, up: true, sinceMs: nowMs, last: null, fails: 0, downs: 0, downMs: 0, regions: {} };
}

/**
 * Takes in what regions say.
 *
 * @param said by region; regions not named keep what they said
 * @param heard the regions that count; those that are silent do not. None: everything stays as it was
 * @see docs/spec.md F5-F7
 */
export function combineRegions(
  health: ServerHealth,
  said: Readonly<Record<string, RegionHealth>>,
  heard: ReadonlySet<string>,
  check: RiseFall,
  nowMs: number,
): ServerHealth {
  const regions = { ...health.regions, ...said };
  const counted = Object.entries(regions)
    .filter(([region]) => heard.has(region))
    .map(([, region]) => region)
    .sort((a, b) => a.counter - b.counter);
  const fails = Object.values(regions).reduce((sum, region) => sum + region.fails, 0);
  const middle = counted[Math.floor((counted.length - (health.up ? 0 : 1)) / 2)];
  if (middle === undefined) return { ...health, regions, fails };
  const { counter, last } = middle;
  return withUp(
    { ...health, regions, fails, counter, last: last ?? health.last },
    isUp(counter, check),
    nowMs,
  );
}

/** Health with its state as it is now; the times move when it changed. */
function withUp(health: ServerHealth, up: boolean, nowMs: number): ServerHealth {
  if (up === health.up) return health;
  const { sinceMs, downs, downMs } = health;
  if (up) return { ...health, up, sinceMs: nowMs, downMs: downMs + Math.max(0, nowMs - sinceMs) };
  return { ...health, up, sinceMs: nowMs, downs: downs + 1 };
}

/** Health once the server goes to maintenance: nobody checks it there, and the time counts as downtime. */
export function enterMaintenance(health: ServerHealth, nowMs: number): ServerHealth {
  return {
    ...health,
    sinceMs: nowMs,
    downMs: health.up ? health.downMs : health.downMs + nowMs - health.sinceMs,
  };
}

/** Health once it comes back from there: up, and its first failure downs it. */
export function leaveMaintenance(health: ServerHealth, check: RiseFall, nowMs: number): ServerHealth {
  const counter = initialCounter(check);
  const downMs = health.downMs + Math.max(0, nowMs - health.sinceMs);
  return { ...health, counter, up: true, sinceMs: nowMs, downMs, last: null, regions: {} };
}

/** Health once it is checked in another way: as up or down as it was, with the first result to tell. */
export function restartChecks(health: ServerHealth, check: RiseFall): ServerHealth {
  return { ...health, counter: health.up ? initialCounter(check) : 0, last: null, regions: {} };
}

type CheckedServer = Pick<StaticServer, "admin" | "health"> & {
  readonly spec: { readonly check: RiseFall | null };
};

/** What HAProxy's stats page would print of a server. @see docs/spec.md F4 */
export function serverStatus({ admin, health, spec: { check } }: CheckedServer): string {
  if (admin === "maint") return "MAINT";
  if (check === null || health === null) return admin === "drain" ? "DRAIN" : "no check";
  const upWord = admin === "drain" ? "DRAIN" : health.last?.word === "L7OKC" ? "NOLB" : "UP";
  return counterText(health.counter, check, upWord);
}

/** Whether requests may be sent to it at all: it is up, or not checked, and not in maintenance. */
export function isServerUsable({ admin, health }: Pick<StaticServer, "admin" | "health">): boolean {
  return admin !== "maint" && (health === null || health.up);
}

/** Whether only requests that belong to it are sent to it: it drains, or asked for no new ones. */
export function isServerDraining({ admin, health }: Pick<StaticServer, "admin" | "health">): boolean {
  return admin === "drain" || health?.last?.word === "L7OKC";
}

/** The last check as the stats page shows it; empty: none yet, or none is made. */
export function lastCheckText({ health }: Pick<StaticServer, "health">): string {
  return health?.last === undefined || health.last === null ? "" : checkText(health.last);
}

/** How long a server has been down in all, milliseconds, maintenance included. */
export function downtimeMs(admin: AdminState, health: ServerHealth, nowMs: number): number {
  const down = admin === "maint" || !health.up;
  return health.downMs + (down ? Math.max(0, nowMs - health.sinceMs) : 0);
}
