import { expect, test } from "vitest";
import { type PartialCheckSpec, withCheckDefaults } from "../../../src/domain/model/server.ts";
import { CheckSchedule } from "../../../src/prober/check-schedule.ts";
import { planWake } from "../../../src/prober/wake-plan.ts";

/** The alarms and checks of a prober over a time; checks take 20 ms and pass, unless `fails` says so. */
function simulate(
  specs: readonly PartialCheckSpec[],
  forMs: number,
  fails: (nowMs: number) => boolean = () => false,
) {
  const schedule = new CheckSchedule();
  const alarms: number[] = [];
  const checks = new Map<string, number[]>();
  let alarmedMs = Number.NEGATIVE_INFINITY;
  let alarmAtMs = Number.POSITIVE_INFINITY;
  let timerAtMs = Number.POSITIVE_INFINITY;
  const plan = (nowMs: number) => {
    const nextMs = schedule.nextDueMs() ?? Number.POSITIVE_INFINITY;
    const { alarmMs, timerMs } = planWake({ nextMs, urgentMs: schedule.nextUrgentMs() }, nowMs, alarmedMs);
    alarmAtMs = Math.min(alarmAtMs, alarmMs);
    timerAtMs = timerMs ?? Number.POSITIVE_INFINITY;
  };
  const run = (nowMs: number) => {
    for (const target of schedule.startDue(nowMs)) {
      checks.set(target.serverId, [...(checks.get(target.serverId) ?? []), nowMs]);
      const word = fails(nowMs) ? "L4CON" : "L4OK";
      schedule.finish(target, { word, code: null, durationMs: 0 }, nowMs);
    }
    schedule.takeReports(nowMs);
  };
  const targets = specs.map((words, at) => {
    const check = withCheckDefaults(words, { tls: false });
    const host = "127.0.0.1";
    return { serverId: `s${at}`, name: `web/s${at}`, epoch: 1, host, port: 80, check, counter: check.rise };
  });
  schedule.setTargets(targets, [], 0);
  plan(0);
  for (let nowMs = 0; nowMs < forMs; nowMs += 10) {
    const isAlarm = nowMs >= alarmAtMs;
    if (!isAlarm && nowMs < timerAtMs) continue;
    if (isAlarm) {
      alarms.push(nowMs);
      alarmedMs = nowMs;
      alarmAtMs = Number.POSITIVE_INFINITY;
    }
    // Six at a time: the rest follows as they end.
    for (let round = 0; round < 10; round += 1) run(nowMs);
    plan(nowMs);
  }
  return { alarms, checks };
}

function gaps(times: readonly number[] = []): readonly number[] {
  return times.slice(1).map((time, at) => time - (times[at] ?? 0));
}

test("[F46] ten servers that are checked every two seconds take an alarm every two seconds", () => {
  const { alarms, checks } = simulate(Array(10).fill({ interMs: 2_000 }), 60_000);
  // And a few at the start, set before the first checks ended.
  expect(alarms.length).toBeLessThanOrEqual(33);
  for (const times of checks.values()) expect(new Set(gaps(times))).toEqual(new Set([2_000]));
});

test("[F46] whatever the intervals, there is at most one alarm in a second, and a check is less than a second late", () => {
  const interMs = [1_000, 1_300, 2_000, 2_500, 3_100, 5_000, 7_700];
  const { alarms, checks } = simulate(
    Array.from({ length: 70 }, (_, at) => ({ interMs: interMs[at % interMs.length] ?? 0 })),
    120_000,
  );
  expect(Math.min(...gaps(alarms))).toBeGreaterThanOrEqual(1_000);
  for (const [id, times] of checks) {
    const intervalMs = interMs[Number(id.slice(1)) % interMs.length] ?? 0;
    for (const gapMs of gaps(times)) {
      expect(gapMs).toBeGreaterThanOrEqual(intervalMs);
      expect(gapMs).toBeLessThan(intervalMs + 1_000);
    }
  }
});

test("[F46] an interval below a second is kept, with an alarm in a second", () => {
  const words = { interMs: 2_000, fastInterMs: 300, downInterMs: 5_000 };
  const { alarms, checks } = simulate([words], 20_000, (nowMs) => nowMs >= 2_000 && nowMs < 12_000);
  expect(checks.get("s0")?.slice(0, 8)).toEqual([0, 2_000, 2_300, 2_600, 7_600, 12_600, 12_900, 14_900]);
  expect(Math.min(...gaps(alarms))).toBeGreaterThanOrEqual(1_000);
});

test("[F46] after the clock was set back, the next alarm does not wait for the old time", () => {
  const due = { nextMs: 10_500, urgentMs: null };
  expect(planWake(due, 10_000, 3_600_000)).toEqual({ alarmMs: 11_000, timerMs: null });
  expect(planWake({ nextMs: 9_000, urgentMs: 9_000 }, 10_000, 9_500)).toEqual({
    alarmMs: 10_500,
    timerMs: 10_000,
  });
});
