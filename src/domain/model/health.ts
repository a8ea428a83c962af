// Health: the verdict over one task, folded from its probes with failures counted in a row.

import type { HealthReport } from "./task.ts";

/** The verdict, the streak of like results that may change it, and the last check's words. */
export type Health = Omit<HealthReport, "rise" | "fall">;

/** One check of one task. `text` says it in HAProxy's words: `L7OK/200 in 3ms`. */
export type Probe = { readonly ok: boolean; readonly atMs: number; readonly text: string };

/** How many like results in a row change the verdict; each at least 1. */
export type HealthPolicy = { readonly rise: number; readonly fall: number };

/** Health of a task not yet checked. */
export function startingHealth(atMs: number): Health {
  return { verdict: "starting", streak: { ok: true, length: 0 }, sinceMs: atMs, lastCheck: "" };
}

/**
 * Folds one probe into a task's health. A result unlike the last one starts a new streak.
 *
 * @returns a new value; `sinceMs` (epoch milliseconds) moves only when the verdict does
 * @see docs/spec.md H1-H5
 */
export function observe(health: Health, probe: Probe, policy: HealthPolicy): Health {
  const length = probe.ok === health.streak.ok ? health.streak.length + 1 : 1;
  const needed = probe.ok ? policy.rise : policy.fall;
  const verdict = length < needed ? health.verdict : probe.ok ? "healthy" : "unhealthy";
  const sinceMs = verdict === health.verdict ? health.sinceMs : probe.atMs;
  return { verdict, streak: { ok: probe.ok, length }, sinceMs, lastCheck: probe.text };
}

/**
 * What HAProxy's stats page would print: `UP`, `UP 2/3` (one failure of three so far), `DOWN`, `DOWN 1/2`
 * (one pass of two so far); `no check` for a task nobody checks. A task still starting takes no traffic: it is down.
 */
export function haproxyStatus(report: HealthReport | null): string {
  if (report === null) return "no check";
  const { verdict, streak, rise, fall } = report;
  if (verdict === "healthy") return streak.ok ? "UP" : `UP ${Math.max(fall - streak.length, 1)}/${fall}`;
  return streak.ok && streak.length > 0 ? `DOWN ${Math.min(streak.length, rise - 1)}/${rise}` : "DOWN";
}
