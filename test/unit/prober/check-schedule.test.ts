import { describe, expect, test } from "vitest";
import type { CheckStatus } from "../../../src/domain/model/check-result.ts";
import { maxProbeReportGapMs, type ProbeTarget } from "../../../src/domain/model/probe-list.ts";
import { type PartialCheckSpec, withCheckDefaults } from "../../../src/domain/model/server.ts";
import { CheckSchedule } from "../../../src/prober/check-schedule.ts";

function target(serverId: string, words: PartialCheckSpec = {}, epoch = 1): ProbeTarget {
  const check = withCheckDefaults(words, { tls: false });
  return {
    serverId,
    name: `web/${serverId}`,
    epoch,
    host: "127.0.0.1",
    port: 80,
    check,
    counter: check.rise,
  };
}

/** A prober whose checks take no time and end with `result`. */
class SimulatedProber {
  readonly schedule = new CheckSchedule();
  readonly checks: { readonly atMs: number; readonly serverId: string }[] = [];
  readonly reports: { readonly atMs: number; readonly text: string }[] = [];
  nowMs = 0;
  result: (serverId: string, atMs: number) => CheckStatus = () => "L4OK";

  constructor(...targets: ProbeTarget[]) {
    this.schedule.setTargets(targets, [], 0);
  }

  runUntil(ms: number): void {
    for (
      let next = this.schedule.nextDueMs();
      next !== null && next <= ms;
      next = this.schedule.nextDueMs()
    ) {
      this.nowMs = Math.max(this.nowMs, next);
      for (const target of this.schedule.startDue(this.nowMs)) {
        this.checks.push({ atMs: this.nowMs, serverId: target.serverId });
        const word = this.result(target.serverId, this.nowMs);
        this.schedule.finish(target, { word, code: null, durationMs: 0 }, this.nowMs);
      }
      const reports = this.schedule.takeReports(this.nowMs);
      if (reports === null) continue;
      const text = reports
        .map(({ serverId, counter, fails }) => `${serverId} ${counter} ${fails}`)
        .join(", ");
      this.reports.push({ atMs: this.nowMs, text });
    }
    this.nowMs = ms;
  }

  timesOf(serverId: string): number[] {
    return this.checks.filter((check) => check.serverId === serverId).map(({ atMs }) => atMs);
  }
}

describe("a schedule checks", () => {
  test("[F14] each server at its interval from start to start, the first checks of a long list spread over it", () => {
    const ids = Array.from({ length: 60 }, (_, at) => `server${at}`);
    const prober = new SimulatedProber(...ids.map((id) => target(id)));
    prober.runUntil(4_000);
    expect(prober.timesOf("server0")).toEqual([0, 2_000, 4_000]);
    expect(prober.timesOf("server29")).toEqual([0, 2_000, 4_000]);
    expect(prober.timesOf("server30")).toEqual([1_000, 3_000]);
    const alone = new SimulatedProber(target("a"), target("b"));
    alone.runUntil(4_000);
    expect(alone.timesOf("b")).toEqual(alone.timesOf("a"));
  });

  test("[J43] also after the clock goes back, and reports are sent too", () => {
    const hourMs = 3_600_000;
    const schedule = new CheckSchedule();
    schedule.setTargets([target("a")], [], hourMs);
    const checked = (atMs: number) => {
      const due = schedule.startDue(atMs);
      for (const target of due) schedule.finish(target, { word: "L4OK", code: null, durationMs: 0 }, atMs);
      return due.length;
    };
    expect([checked(hourMs), schedule.takeReports(hourMs)?.length, schedule.nextDueMs()]).toEqual([
      1,
      1,
      hourMs + 2_000,
    ]);
    // The clock goes back by an hour, then the prober wakes.
    expect([checked(0), schedule.nextDueMs()]).toEqual([0, 2_000]);
    expect([checked(2_000), schedule.nextDueMs()]).toEqual([1, 4_000]);
    expect(schedule.takeReports(maxProbeReportGapMs)).not.toBeNull();
  });

  test("[F14] at fastinter while the state is changing, at downinter while the server is down", () => {
    const words = { interMs: 2_000, fastInterMs: 300, downInterMs: 5_000 };
    const prober = new SimulatedProber(target("a", words));
    prober.result = (_, atMs) => (atMs >= 2_000 && atMs < 12_000 ? "L4CON" : "L4OK");
    prober.runUntil(15_000);
    // Up; three failures; down; a pass of two; up.
    expect(prober.timesOf("a")).toEqual([0, 2_000, 2_300, 2_600, 7_600, 12_600, 12_900, 14_900]);
  });

  test("[F15] at most six at a time, the longest due first", () => {
    const schedule = new CheckSchedule();
    const targets = [..."abcdefgh"].map((id) => target(id, { interMs: 800 }));
    schedule.setTargets(targets, [], 0);
    const started = schedule.startDue(10_000);
    expect(started.map(({ serverId }) => serverId)).toEqual([..."abcdef"]);
    expect(schedule.startDue(10_000)).toEqual([]);
    expect(schedule.nextDueMs()).toBeGreaterThan(10_000);
    schedule.finish(started[0] as ProbeTarget, { word: "L4OK", code: null, durationMs: 1 }, 10_001);
    expect(schedule.startDue(10_001).map(({ serverId }) => serverId)).toEqual(["g"]);
  });

  test("[F46] checks that had to wait for others stay due together with them", () => {
    const schedule = new CheckSchedule();
    schedule.setTargets(
      [..."abcdefgh"].map((id) => target(id)),
      [],
      0,
    );
    const passed = { word: "L4OK", code: null, durationMs: 0 } as const;
    for (const [atMs, count] of [
      [0, 6],
      [400, 2],
    ] as const) {
      const started = schedule.startDue(atMs);
      expect(started).toHaveLength(count);
      for (const check of started) schedule.finish(check, passed, atMs + 300);
    }
    schedule.takeReports(1_000);
    expect([schedule.startDue(1_999), schedule.nextDueMs()]).toEqual([[], 2_000]);
    expect(schedule.startDue(2_000)).toHaveLength(6);
  });

  test("[F15] one server never by two checks at a time", () => {
    const schedule = new CheckSchedule();
    schedule.setTargets([target("a", { interMs: 100 })], [], 0);
    expect(schedule.startDue(0)).toHaveLength(1);
    expect(schedule.startDue(60_000)).toEqual([]);
  });
});

describe("a prober reports", () => {
  test("[F16] up and down at once, other changes within a second, and every 30 s that the prober is alive", () => {
    const prober = new SimulatedProber(target("a"));
    prober.result = (_, atMs) => (atMs >= 50_000 && atMs < 60_000 ? "L4CON" : "L4OK");
    prober.runUntil(100_000);
    const reports = prober.reports.map(({ atMs, text }) => `${atMs}: ${text}`);
    expect(reports.slice(0, 2)).toEqual(["0: a 4 0", "30000: "]);
    expect(reports.slice(2, 8)).toEqual([
      "50000: a 3 1",
      "52000: a 2 2",
      "54000: a 0 3",
      "60000: a 1 3",
      "62000: a 4 3",
      "92000: ",
    ]);
    expect(maxProbeReportGapMs).toBe(30_000);
  });

  test("[F16] a report that did not arrive again", () => {
    const schedule = new CheckSchedule();
    schedule.setTargets([target("a")], [], 0);
    const [started] = schedule.startDue(0);
    schedule.finish(started as ProbeTarget, { word: "L4CON", code: null, durationMs: 1 }, 1);
    const reports = schedule.takeReports(1) ?? [];
    expect(reports).toHaveLength(1);
    schedule.reportFailed(reports, 500);
    expect(schedule.takeReports(400)).toBeNull();
    expect(schedule.takeReports(500)).toEqual(reports);
  });
});

describe("a new list", () => {
  test("[F17] keeps the state of servers; a server with another epoch starts with the list's counter", () => {
    const prober = new SimulatedProber(target("a"), target("b"));
    prober.runUntil(3_000);
    prober.schedule.setTargets([target("a"), target("b", {}, 2)], [], 3_000);
    const started = prober.schedule.startDue(10_000);
    const changed = started.map((target) =>
      prober.schedule.finish(target, { word: "L4CON", code: null, durationMs: 1 }, 10_000),
    );
    expect(changed.map((health) => `${health?.serverId} ${health?.counter}`).sort()).toEqual(["a 3", "b 0"]);
  });

  test("[F17] voids the running checks of removed servers and of servers with another epoch", () => {
    const schedule = new CheckSchedule();
    schedule.setTargets([target("a"), target("b")], [], 0);
    const started = schedule.startDue(2_000);
    schedule.setTargets([target("b", {}, 2)], [], 2_000);
    const result = { word: "L4CON", code: null, durationMs: 1 } as const;
    expect(started.map((target) => schedule.finish(target, result, 2_001))).toEqual([null, null]);
    expect(schedule.takeReports(100_000)).toEqual([]);
  });

  test("[F17] continues after a restart with the stored counters", () => {
    const schedule = new CheckSchedule();
    schedule.setTargets([target("a")], [{ serverId: "a", epoch: 1, counter: 3, fails: 7, last: null }], 0);
    const [started] = schedule.startDue(0);
    const changed = schedule.finish(started as ProbeTarget, { word: "L4CON", code: null, durationMs: 0 }, 1);
    expect(changed).toMatchObject({ counter: 2, fails: 8 });
  });

  test("[F17] schedules no wake-up if it is empty", () => {
    const schedule = new CheckSchedule();
    expect(schedule.nextDueMs()).toBeNull();
    schedule.setTargets([target("a")], [], 0);
    schedule.setTargets([], [], 10);
    expect(schedule.nextDueMs()).toBeNull();
    expect(schedule.takeReports(1_000_000)).toBeNull();
  });
});
