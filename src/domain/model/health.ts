// The health of one task: the verdict that follows from its probes.

import { type CheckCount, counterOf, counterText, countResult, type RiseFall } from "./check-counter.ts";
import type { HealthReport } from "./task.ts";

/** The verdict, the streak of equal results that may change it, and the text of the last check. */
export type Health = Omit<HealthReport, keyof RiseFall>;

/** The result of one check. `text` is HAProxy's: `L7OK/200 in 3ms`. */
type Probe = { readonly ok: boolean; readonly atMs: number; readonly text: string };

const nothingCounted: CheckCount = { verdict: "starting", streak: { ok: true, length: 0 } };

/** Health of a task not yet checked. */
export function startingHealth(atMs: number): Health {
  return { ...nothingCounted, sinceMs: atMs, lastCheck: "" };
}

/**
 * Applies one probe result to a task's health.
 *
 * @returns the new health; `sinceMs` (epoch milliseconds) changes only when the verdict does
 * @see docs/spec.md H1-H5
 */
export function observe(health: Health, probe: Probe, policy: RiseFall): Health {
  const { verdict, streak } = countResult(health, probe.ok, policy);
  const sinceMs = verdict === health.verdict ? health.sinceMs : probe.atMs;
  return { verdict, streak, sinceMs, lastCheck: probe.text };
}

/** The status HAProxy's stats page would print for a task; `no check` if it has no probe. */
export function haproxyStatus(report: HealthReport | null): string {
  return report === null ? "no check" : counterText(counterOf(report, report), report);
}
