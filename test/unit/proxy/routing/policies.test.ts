import { expect, test } from "vitest";
import type { Policy } from "../../../../src/domain/table/policy.ts";
import type { DataPlane } from "../../../../src/proxy/plane.ts";
import { pickTarget } from "../../../../src/proxy/routing/pick-target.ts";
import { keyOf } from "../../../../src/proxy/routing/policies/policies.ts";
import { poolOf, rulesOf, type TargetPool, weightOf } from "../../../../src/proxy/routing/target-pool.ts";
import { serviceOf, tableOf } from "../../../support/dataplane.ts";
import { inProcessPlane } from "../../ingress/in-process-plane.ts";

type Shares = Readonly<Record<string, number>>;

/** A pool of targets with these weights by id. */
function poolWith(weights: Shares, policy: Policy = "roundrobin", options = {}): TargetPool {
  const targets = Object.entries(weights).map(([taskId, weight]) => {
    return {
      taskId,
      slot: 1,
      nodeId: "n",
      server: null,
      port: 80,
      origin: `http://${taskId}`,
      gateway: null,
      share: { weight },
    };
  });
  return poolOf(targets, rulesOf({ ...serviceOf("s", 80, []), policy, options }));
}

function plane(random: () => number = () => 0): DataPlane {
  return inProcessPlane(tableOf(1), {}, { random }).plane;
}

/** Pseudorandom numbers, the same in each run. */
function numbers(): () => number {
  let state = 42;
  return () => {
    state = (Math.imul(state, 1_664_525) + 1_013_904_223) >>> 0;
    return state / 0x1_0000_0000;
  };
}

const hints = (key: string) => ({ key, stickyTarget: null, stickyCookie: null, canaryOf: null });

function picks(mesh: DataPlane, pool: TargetPool, count: number, key?: string): string[] {
  return Array.from({ length: count }, () => {
    const query = {
      cursor: "r",
      tried: null,
      isRepeatable: true,
      hints: key === undefined ? null : hints(key),
    };
    return pickTarget(mesh, pool, query)?.taskId ?? "-";
  });
}

const tally = (ids: readonly string[]) =>
  Object.fromEntries([...Map.groupBy(ids, (id) => id)].map(([id, list]) => [id, list.length]).sort());

test("[W8] round robin interleaves weights smoothly", () => {
  expect(picks(plane(), poolWith({ a: 5, b: 1, c: 1 }), 7).join("")).toBe("aabacaa");
  expect(picks(plane(), poolWith({ a: 3, b: 1, c: 1 }), 10).join("")).toMatch(/^(?!.*aaa).*$/);
});

test("[W8] a new task of a weighted round robin gets its share, and a removed one leaves no state", () => {
  const mesh = plane();
  picks(mesh, poolWith({ a: 2, b: 1 }), 50);
  expect(tally(picks(mesh, poolWith({ a: 2, b: 1, c: 3 }), 60))).toEqual({ a: 20, b: 10, c: 30 });
  expect(tally(picks(mesh, poolWith({ a: 2, c: 3 }), 50))).toEqual({ a: 20, c: 30 });
  expect([...mesh.smoothWeights.of("r").keys()]).toEqual(["a", "c"]);
});

test("[W9] leastconn picks a task with the fewest open requests for its weight, and equals in turn", () => {
  const mesh = plane();
  const pool = poolWith({ a: 1, b: 1, c: 2 }, "leastconn");
  mesh.openRequests.open("a", 2_000_000);
  expect(picks(mesh, pool, 6)).not.toContain("a");
  for (let i = 0; i < 3; i += 1) mesh.openRequests.open("b", 2_000_000);
  for (let i = 0; i < 3; i += 1) mesh.openRequests.open("c", 2_000_000);
  expect(picks(mesh, pool, 4)).toEqual(["a", "a", "a", "a"]);
});

test("[W9] an open request that was never closed expires", () => {
  const { openRequests } = plane();
  openRequests.open("a", 1_000);
  openRequests.open("a", 3_000);
  expect([
    openRequests.of("a", 999),
    openRequests.of("a", 1_000),
    openRequests.of("a", 2_999),
    openRequests.of("a", 3_000),
  ]).toEqual([2, 1, 1, 0]);
});

test("[W9] random draws two tasks by weight and picks the one with fewer open requests", () => {
  const even = poolWith({ a: 1, b: 1, c: 1, d: 1 }, "random");
  const mesh = plane(numbers());
  for (const count of Object.values(tally(picks(mesh, even, 4_000)))) {
    expect(count).toBeGreaterThan(850);
    expect(count).toBeLessThan(1_150);
  }
  mesh.openRequests.open("a", 2_000_000);
  expect(picks(mesh, even, 500)).not.toContain("a");
  const shares = tally(picks(plane(numbers()), poolWith({ a: 1, b: 1, c: 2 }, "random"), 4_000));
  // Of two equally loaded tasks the first drawn is picked.
  expect(shares.c).toBeGreaterThan(1_850);
  expect(shares.c).toBeLessThan(2_150);
});

test("[W10] a hash key is the client's address, the path without query, a header or a cookie", () => {
  const headers = new Headers({ "x-user": "ann", cookie: "a=1; session=s2" });
  const key = (policy: Policy) => keyOf(policy, "203.0.113.7", "/cart?item=1", headers);
  expect(key("source")).toBe("203.0.113.7");
  expect(key("uri")).toBe("/cart");
  expect(key("hdr(x-user)")).toBe("ann");
  expect(key("hdr(x-other)")).toBeNull();
  expect(key("cookie(session)")).toBe("s2");
  expect(key("cookie(Session)")).toBeNull();
  expect(key("roundrobin")).toBeNull();
});

test("[W10] a key maps to the same task in every isolate; without a key round robin applies", () => {
  const pool = poolWith({ a: 1, b: 1, c: 1 }, "hdr(x-user)");
  const first = picks(plane(), pool, 1, "ann")[0];
  expect(picks(plane(numbers()), pool, 5, "ann")).toEqual(Array(5).fill(first));
  expect(tally(picks(plane(), pool, 6))).toEqual({ a: 2, b: 2, c: 2 });
});

test("[W10] keys are distributed by weight", () => {
  const pool = poolWith({ a: 1, b: 3 }, "uri");
  const mesh = plane();
  const shares = tally(Array.from({ length: 4_000 }, (_, n) => picks(mesh, pool, 1, `/page/${n}`)[0] ?? ""));
  expect(shares.b).toBeGreaterThan(2_900);
  expect(shares.b).toBeLessThan(3_100);
});

test("[W12] during slow start a task's weight rises linearly from a hundredth to its full value", () => {
  const share = { weight: 100, sinceMs: 50_000 };
  const target = {
    taskId: "a",
    slot: 1,
    nodeId: "n",
    server: null,
    port: 80,
    origin: "",
    gateway: null,
    share,
  };
  const { rules } = poolWith({}, "roundrobin", { slowStartMs: 10_000 });
  const at = (ms: number) => weightOf(target, rules, ms);
  expect([50_000, 50_050, 55_000, 59_999, 60_000].map(at)).toEqual([1, 1, 50, 99.99, 100]);
  // The registry's clock may be ahead of the isolate's.
  expect(at(0)).toBe(1);
  expect(weightOf({ ...target, share: { weight: 7 } }, rules, 50_000)).toBe(7);
  expect(weightOf(target, { ...rules, slowStartMs: 0 }, 50_000)).toBe(100);
});

test("[W20] backups are used at once when all other tasks fail, without panic", () => {
  const targets = ["a", "b", "c", "d"].map((taskId) => {
    const share = taskId < "c" ? { weight: 1 } : { weight: 1, backup: true as const };
    return {
      taskId,
      slot: 1,
      nodeId: "n",
      server: null,
      port: 80,
      origin: `http://${taskId}`,
      gateway: null,
      share,
    };
  });
  const pool = poolOf(targets);
  const mesh = plane();
  expect(tally(picks(mesh, pool, 4))).toEqual({ a: 2, b: 2 });
  mesh.outliers.failed("a", 1_000_000);
  expect(tally(picks(mesh, pool, 4))).toEqual({ b: 4 });
  mesh.outliers.failed("b", 1_000_000);
  expect(tally(picks(mesh, pool, 4))).toEqual({ c: 2, d: 2 });
  for (const id of ["c", "d"]) mesh.outliers.failed(id, 1_000_000);
  // All are ejected: panic among the backups.
  expect(tally(picks(mesh, pool, 4))).toEqual({ c: 2, d: 2 });
});

test("[W12] a task gets a part of its share during slow start, and its full share afterwards", () => {
  const at = (sinceMs: number) => {
    const targets = ["a", "b"].map((taskId) => {
      const share = { weight: 1, sinceMs: taskId === "b" ? sinceMs : 0 };
      return {
        taskId,
        slot: 1,
        nodeId: "n",
        server: null,
        port: 80,
        origin: `http://${taskId}`,
        gateway: null,
        share,
      };
    });
    return tally(
      picks(plane(), poolOf(targets, poolWith({}, "roundrobin", { slowStartMs: 10_000 }).rules), 60),
    );
  };
  expect(at(1_000_000 - 5_000)).toEqual({ a: 40, b: 20 });
  expect(at(1_000_000 - 10_000)).toEqual({ a: 30, b: 30 });
});
