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

/** A prober whose checks take no time and end as `result` says. */
class Simulated {
  readonly rounds = new CheckSchedule();
  readonly checks: { readonly atMs: number; readonly serverId: string }[] = [];
  readonly reports: { readonly atMs: number; readonly said: string }[] = [];
  nowMs = 0;
  result: (serverId: string, atMs: number) => CheckStatus = () => "L4OK";

  constructor(...targets: ProbeTarget[]) {
    this.rounds.setTargets(targets, [], 0);
  }

  runUntil(ms: number): void {
    for (let next = this.rounds.nextDueMs(); next !== null && next <= ms; next = this.rounds.nextDueMs()) {
      this.nowMs = Math.max(this.nowMs, next);
      for (const one of this.rounds.startDue(this.nowMs)) {
        this.checks.push({ atMs: this.nowMs, serverId: one.serverId });
        const word = this.result(one.serverId, this.nowMs);
        this.rounds.finish(one, { word, code: null, durationMs: 0 }, this.nowMs);
      }
      const reports = this.rounds.takeReports(this.nowMs);
      if (reports === null) continue;
      const said = reports
        .map(({ serverId, counter, fails }) => `${serverId} ${counter} ${fails}`)
        .join(", ");
      this.reports.push({ atMs: this.nowMs, said });
    }
    this.nowMs = ms;
  }

  timesOf(serverId: string): number[] {
    return this.checks.filter((check) => check.serverId === serverId).map(({ atMs }) => atMs);
  }
}

describe("a schedule checks", () => {
  test("[F14] each server at its interval from start to start, the first checks of a new list spread over it", () => {
    const prober = new Simulated(target("a"), target("b"), target("c"), target("d"));
    prober.runUntil(4_000);
    expect(prober.timesOf("a")).toEqual([0, 2_000, 4_000]);
    expect(prober.timesOf("b")).toEqual([500, 2_500]);
    expect(prober.timesOf("d")).toEqual([1_500, 3_500]);
  });

  test("[J43] also after the clock goes back, and reports are sent too", () => {
    const hourMs = 3_600_000;
    const rounds = new CheckSchedule();
    rounds.setTargets([target("a")], [], hourMs);
    const checked = (atMs: number) => {
      const due = rounds.startDue(atMs);
      for (const one of due) rounds.finish(one, { word: "L4OK", code: null, durationMs: 0 }, atMs);
      return due.length;
    };
    expect([checked(hourMs), rounds.takeReports(hourMs)?.length, rounds.nextDueMs()]).toEqual([
      1,
      1,
      hourMs + 2_000,
    ]);
    // The clock goes back by an hour; then the prober wakes.
    expect([checked(0), rounds.nextDueMs()]).toEqual([0, 2_000]);
    expect([checked(2_000), rounds.nextDueMs()]).toEqual([1, 4_000]);
    expect(rounds.takeReports(maxProbeReportGapMs)).not.toBeNull();
  });

  test("[F14] at fastinter while the state is changing, at downinter while the server is down", () => {
    const words = { interMs: 2_000, fastInterMs: 300, downInterMs: 5_000 };
    const prober = new Simulated(target("a", words));
    prober.result = (_, atMs) => (atMs >= 2_000 && atMs < 12_000 ? "L4CON" : "L4OK");
    prober.runUntil(15_000);
    // Up; three failures; down; a pass of two; up.
    expect(prober.timesOf("a")).toEqual([0, 2_000, 2_300, 2_600, 7_600, 12_600, 12_900, 14_900]);
  });

  test("[F15] at most six at a time, the longest due first", () => {
    const rounds = new CheckSchedule();
    const targets = [..."abcdefgh"].map((id) => target(id, { interMs: 800 }));
    rounds.setTargets(targets, [], 0);
    const started = rounds.startDue(10_000);
    expect(started.map(({ serverId }) => serverId)).toEqual([..."abcdef"]);
    expect(rounds.startDue(10_000)).toEqual([]);
    expect(rounds.nextDueMs()).toBeGreaterThan(10_000);
    rounds.finish(started[0] as ProbeTarget, { word: "L4OK", code: null, durationMs: 1 }, 10_001);
    expect(rounds.startDue(10_001).map(({ serverId }) => serverId)).toEqual(["g"]);
  });

  test("[F15] one server never by two checks at a time", () => {
    const rounds = new CheckSchedule();
    rounds.setTargets([target("a", { interMs: 100 })], [], 0);
    expect(rounds.startDue(0)).toHaveLength(1);
    expect(rounds.startDue(60_000)).toEqual([]);
  });
});

describe("a prober reports", () => {
  test("[F16] up and down at once, other changes within a second, and every 30 s that the prober is alive", () => {
    const prober = new Simulated(target("a"));
    prober.result = (_, atMs) => (atMs >= 50_000 && atMs < 60_000 ? "L4CON" : "L4OK");
    prober.runUntil(100_000);
    const told = prober.reports.map(({ atMs, said }) => `${atMs}: ${said}`);
    expect(told.slice(0, 2)).toEqual(["0: a 4 0", "30000: "]);
    expect(told.slice(2, 8)).toEqual([
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
    const rounds = new CheckSchedule();
    rounds.setTargets([target("a")], [], 0);
    const [one] = rounds.startDue(0);
    rounds.finish(one as ProbeTarget, { word: "L4CON", code: null, durationMs: 1 }, 1);
    const reports = rounds.takeReports(1) ?? [];
    expect(reports).toHaveLength(1);
    rounds.reportFailed(reports, 500);
    expect(rounds.takeReports(400)).toBeNull();
    expect(rounds.takeReports(500)).toEqual(reports);
  });
});

describe("a new list", () => {
  test("[F17] keeps the state of servers; a server with another epoch starts with the list's counter", () => {
    const prober = new Simulated(target("a"), target("b"));
    prober.runUntil(3_000);
    prober.rounds.setTargets([target("a"), target("b", {}, 2)], [], 3_000);
    const begun = prober.rounds.startDue(10_000);
    const kept = begun.map((one) =>
      prober.rounds.finish(one, { word: "L4CON", code: null, durationMs: 1 }, 10_000),
    );
    expect(kept.map((one) => `${one?.serverId} ${one?.counter}`).sort()).toEqual(["a 3", "b 0"]);
  });

  test("[F17] voids the running checks of removed servers and of servers with another epoch", () => {
    const rounds = new CheckSchedule();
    rounds.setTargets([target("a"), target("b")], [], 0);
    const started = rounds.startDue(2_000);
    rounds.setTargets([target("b", {}, 2)], [], 2_000);
    const result = { word: "L4CON", code: null, durationMs: 1 } as const;
    expect(started.map((one) => rounds.finish(one, result, 2_001))).toEqual([null, null]);
    expect(rounds.takeReports(100_000)).toEqual([]);
  });

  test("[F17] continues after a restart with the stored counters", () => {
    const rounds = new CheckSchedule();
    rounds.setTargets([target("a")], [{ serverId: "a", epoch: 1, counter: 3, fails: 7, last: null }], 0);
    const [one] = rounds.startDue(0);
    const kept = rounds.finish(one as ProbeTarget, { word: "L4CON", code: null, durationMs: 0 }, 1);
    expect(kept).toMatchObject({ counter: 2, fails: 8 });
  });

  test("[F17] schedules no wake-up if it is empty", () => {
    const rounds = new CheckSchedule();
    expect(rounds.nextDueMs()).toBeNull();
    rounds.setTargets([target("a")], [], 0);
    rounds.setTargets([], [], 10);
    expect(rounds.nextDueMs()).toBeNull();
    expect(rounds.takeReports(1_000_000)).toBeNull();
  });
});
