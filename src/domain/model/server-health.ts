// The health of a static server: the counters of the regions that check it, and the verdict over all of them.
//
// The server's counter is the median of the live regions' counters, so that it is up if more than half of
// them find it up. An even split changes nothing.

import { counterText, initialCounter, isUp, type RiseFall } from "./check-counter.ts";
import { type CheckResult, checkText } from "./check-result.ts";
import type { AdminState, StaticServer } from "./server.ts";

/** The results of one region's checks. */
export type RegionHealth = {
  readonly counter: number;
  /** Failed checks while the counter was above 0, since the checks began. */
  readonly fails: number;
  /** The last result; null before the first. */
  readonly last: CheckResult | null;
};

export type ServerHealth = {
  readonly counter: number;
  readonly up: boolean;
  /** When `up` last changed, or the server entered or left maintenance; epoch milliseconds. */
  readonly sinceMs: number;
  readonly last: CheckResult | null;
  readonly fails: number;
  /** Number of times it went down. */
  readonly downs: number;
  /** Total downtime before `sinceMs`, milliseconds. */
  readonly downMs: number;
  readonly regions: Readonly<Record<string, RegionHealth>>;
};

/** Health of a server before its first check. */
export function initialServerHealth(check: RiseFall, nowMs: number): ServerHealth {
  const counter = initialCounter(check);
  return { counter, up: true, sinceMs: nowMs, last: null, fails: 0, downs: 0, downMs: 0, regions: {} };
}

/**
 * Applies new reports of regions.
 *
 * @param reported by region; other regions keep their last report
 * @param liveRegions the regions that count, because they reported recently; without any, `up` stays
 * @see docs/spec.md F5-F7
 */
export function combineRegions(
  health: ServerHealth,
  reported: Readonly<Record<string, RegionHealth>>,
  liveRegions: ReadonlySet<string>,
  check: RiseFall,
  nowMs: number,
): ServerHealth {
  const regions = { ...health.regions, ...reported };
  const counted = Object.entries(regions)
    .filter(([name]) => liveRegions.has(name))
    .map(([, region]) => region)
    .sort((a, b) => a.counter - b.counter);
  const fails = Object.values(regions).reduce((sum, region) => sum + region.fails, 0);
  const median = counted[Math.floor((counted.length - (health.up ? 0 : 1)) / 2)];
  if (median === undefined) return { ...health, regions, fails };
  const { counter, last } = median;
  return withUp(
    { ...health, regions, fails, counter, last: last ?? health.last },
    isUp(counter, check),
    nowMs,
  );
}

/** Sets `up`; a change starts a new period. */
function withUp(health: ServerHealth, up: boolean, nowMs: number): ServerHealth {
  if (up === health.up) return health;
  const { sinceMs, downs, downMs } = health;
  if (up) return { ...health, up, sinceMs: nowMs, downMs: downMs + Math.max(0, nowMs - sinceMs) };
  return { ...health, up, sinceMs: nowMs, downs: downs + 1 };
}

/** Starts maintenance: the server is not checked, and the time counts as downtime. */
export function enterMaintenance(health: ServerHealth, nowMs: number): ServerHealth {
  return {
    ...health,
    sinceMs: nowMs,
    downMs: health.up ? health.downMs : health.downMs + nowMs - health.sinceMs,
  };
}

/** Ends maintenance: the server is up, and its first failure takes it down. */
export function leaveMaintenance(health: ServerHealth, check: RiseFall, nowMs: number): ServerHealth {
  const counter = initialCounter(check);
  const downMs = health.downMs + Math.max(0, nowMs - health.sinceMs);
  return { ...health, counter, up: true, sinceMs: nowMs, downMs, last: null, regions: {} };
}

/** Restarts the checks after their settings changed: `up` stays, and the next result decides. */
export function restartChecks(health: ServerHealth, check: RiseFall): ServerHealth {
  return { ...health, counter: health.up ? initialCounter(check) : 0, last: null, regions: {} };
}

type CheckedServer = Pick<StaticServer, "admin" | "health"> & {
  readonly spec: { readonly check: RiseFall | null };
};

/** The status HAProxy's stats page would print for a server. @see docs/spec.md F4 */
export function serverStatus({ admin, health, spec: { check } }: CheckedServer): string {
  if (admin === "maint") return "MAINT";
  if (check === null || health === null) return admin === "drain" ? "DRAIN" : "no check";
  const upWord = admin === "drain" ? "DRAIN" : health.last?.word === "L7OKC" ? "NOLB" : "UP";
  return counterText(health.counter, check, upWord);
}

/** True if the server may get requests: it is up or not checked, and not in maintenance. */
export function isServerUsable({ admin, health }: Pick<StaticServer, "admin" | "health">): boolean {
  return admin !== "maint" && (health === null || health.up);
}

/** True if the server gets no new clients: the operator drains it, or its check asks for that (`L7OKC`). */
export function isServerDraining({ admin, health }: Pick<StaticServer, "admin" | "health">): boolean {
  return admin === "drain" || health?.last?.word === "L7OKC";
}

/** Why a server that is not usable gets no requests, without the duration of its check: `down: L7STS/503`. */
export function unusableReason({ admin, health }: Pick<StaticServer, "admin" | "health">): string {
  if (admin === "maint") return "in maint";
  if (!health?.last) return "down";
  const { word, code } = health.last;
  return `down: ${word}${code === null ? "" : `/${code}`}`;
}

/** The last check as the stats page shows it; empty before the first and without checks. */
export function lastCheckText({ health }: Pick<StaticServer, "health">): string {
  return health?.last === undefined || health.last === null ? "" : checkText(health.last);
}

/** A server's total downtime including maintenance, milliseconds. */
export function downtimeMs(admin: AdminState, health: ServerHealth, nowMs: number): number {
  const isDown = admin === "maint" || !health.up;
  return health.downMs + (isDown ? Math.max(0, nowMs - health.sinceMs) : 0);
}
