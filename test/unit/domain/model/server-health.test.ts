import { describe, expect, test } from "vitest";
import { countCheck, initialCounter, nextIntervalMs } from "../../../../src/domain/model/check-counter.ts";
import { checkText } from "../../../../src/domain/model/check-result.ts";
import { type StaticServer, withCheckDefaults } from "../../../../src/domain/model/server.ts";
import {
  combineRegions,
  downtimeMs,
  enterMaintenance,
  initialServerHealth,
  isServerDraining,
  isServerUsable,
  lastCheckText,
  leaveMaintenance,
  restartChecks,
  type ServerHealth,
  serverStatus,
} from "../../../../src/domain/model/server-health.ts";

const check = withCheckDefaults({ interMs: 2_000, fastInterMs: 500, downInterMs: 10_000 }, { tls: false });

/** The counter after each of several checks: `pass fail fail`. */
function counters(results: string, start = initialCounter(check)): number[] {
  let counter = start;
  return results.split(" ").map((result) => {
    counter = countCheck(counter, result === "pass", check);
    return counter;
  });
}

function statusOf(
  counter: number,
  over: Partial<StaticServer> & { last?: ServerHealth["last"] } = {},
): string {
  const { last = null, ...server } = over;
  const health = { ...initialServerHealth(check, 0), counter, up: counter >= check.rise, last };
  return serverStatus({ admin: "ready", health, ...server, spec: { check } });
}

describe("the counter", () => {
  test("[F2] a failure counts down while up and resets the counter while down; a pass while up sets it to the top", () => {
    expect(counters("pass fail fail pass fail fail fail")).toEqual([4, 3, 2, 4, 3, 2, 0]);
    expect(counters("pass fail pass pass", 0)).toEqual([1, 0, 1, 4]);
  });

  test("[F3] fastinter applies while the state changes, downinter while it is down, inter otherwise", () => {
    expect([4, 3, 2, 1, 0].map((counter) => nextIntervalMs(counter, check))).toEqual([
      2_000, 500, 500, 500, 10_000,
    ]);
  });
});

describe("texts", () => {
  test("[F4] the status has HAProxy's format", () => {
    expect([4, 3, 2, 1, 0].map((counter) => statusOf(counter))).toEqual([
      "UP",
      "UP 2/3",
      "UP 1/3",
      "DOWN 1/2",
      "DOWN",
    ]);
    expect([4, 3, 0].map((counter) => statusOf(counter, { admin: "drain" }))).toEqual([
      "DRAIN",
      "DRAIN 2/3",
      "DOWN",
    ]);
    expect(statusOf(4, { admin: "maint" })).toBe("MAINT");
    expect(statusOf(4, { last: { word: "L7OKC", code: 404, durationMs: 1 } })).toBe("NOLB");
    expect(serverStatus({ admin: "ready", health: null, spec: { check: null } })).toBe("no check");
    expect(serverStatus({ admin: "drain", health: null, spec: { check: null } })).toBe("DRAIN");
  });

  test("[F4] the last check has HAProxy's format", () => {
    expect(checkText({ word: "L7OK", code: 200, durationMs: 3 })).toBe("L7OK/200 in 3ms");
    expect(checkText({ word: "L4TOUT", code: null, durationMs: 2001 })).toBe("L4TOUT in 2001ms");
    expect(lastCheckText({ health: initialServerHealth(check, 0) })).toBe("");
  });
});

describe("several regions", () => {
  const down = { counter: 0, fails: 3, last: { word: "L4CON", code: null, durationMs: 0 } } as const;
  const up = { counter: 4, fails: 0, last: { word: "L4OK", code: null, durationMs: 1 } } as const;

  test("[F6] a silent region does not count, and if all regions are silent nothing changes", () => {
    const before = initialServerHealth(check, 0);
    const reported = { a: down, b: down, c: up };
    expect(combineRegions(before, reported, new Set("abc"), check, 1).up).toBe(false);
    expect(combineRegions(before, reported, new Set("c"), check, 1).up).toBe(true);
    expect(combineRegions(before, reported, new Set(), check, 1)).toMatchObject({
      up: true,
      counter: 2,
      fails: 6,
    });
  });

  test("[F7] a change of state counts the times down and the downtime", () => {
    let health = combineRegions(initialServerHealth(check, 0), { a: down }, new Set("a"), check, 1_000);
    expect(health).toMatchObject({ up: false, downs: 1, sinceMs: 1_000, downMs: 0 });
    expect(downtimeMs("ready", health, 4_000)).toBe(3_000);
    health = combineRegions(health, { a: up }, new Set("a"), check, 6_000);
    expect(health).toMatchObject({ up: true, downs: 1, sinceMs: 6_000, downMs: 5_000 });
    expect(downtimeMs("ready", health, 9_000)).toBe(5_000);
  });
});

describe("maintenance", () => {
  test("[F8] maintenance counts as downtime, and after it the server is up until its first failure", () => {
    const inMaintenance = enterMaintenance(initialServerHealth(check, 0), 1_000);
    expect(isServerUsable({ admin: "maint", health: inMaintenance })).toBe(false);
    expect(downtimeMs("maint", inMaintenance, 3_000)).toBe(2_000);
    const back = leaveMaintenance(inMaintenance, check, 5_000);
    expect(back).toMatchObject({ up: true, counter: 2, sinceMs: 5_000, downMs: 4_000 });
    const downBefore = { ...initialServerHealth(check, 0), up: false, counter: 0 };
    expect(leaveMaintenance(enterMaintenance(downBefore, 1_000), check, 3_000).downMs).toBe(3_000);
  });

  test("[F8] a draining server serves its own clients, and a server drains too if its check asks for it", () => {
    const health = initialServerHealth(check, 0);
    expect(isServerUsable({ admin: "drain", health })).toBe(true);
    expect(isServerDraining({ admin: "drain", health })).toBe(true);
    expect(isServerDraining({ admin: "ready", health })).toBe(false);
    const asksToDrain = { ...health, last: { word: "L7OKC", code: 404, durationMs: 1 } } as const;
    expect(isServerDraining({ admin: "ready", health: asksToDrain })).toBe(true);
  });

  test("[F8] new check settings leave a server up or down as it was", () => {
    const health = initialServerHealth(check, 0);
    expect(restartChecks({ ...health, up: false, counter: 1 }, check)).toMatchObject({
      up: false,
      counter: 0,
    });
    expect(restartChecks({ ...health, counter: 4 }, check)).toMatchObject({ up: true, counter: 2 });
  });
});
