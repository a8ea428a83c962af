import fc from "fast-check";
import { expect, test } from "vitest";
import type { Policy } from "../../../src/domain/table/policy.ts";
import { type PickQuery, pickTarget } from "../../../src/proxy/routing/pick-target.ts";
import {
  maxconnOf,
  poolOf,
  rulesOf,
  type Target,
  type TargetPool,
} from "../../../src/proxy/routing/target-pool.ts";
import { serviceOf, tableOf } from "../../support/dataplane.ts";
import { inProcessPlane } from "../../unit/ingress/in-process-plane.ts";

const nowMs = 1_000_000;
const policies: readonly Policy[] = ["roundrobin", "leastconn", "random", "source", "uri", "hdr(x)"];

function planeWith(random: () => number) {
  return inProcessPlane(tableOf(1), {}, { random, nowMs: () => nowMs }).plane;
}

const share = fc.record(
  {
    weight: fc.constantFrom(0, 1, 1, 1, 2, 5),
    backup: fc.constant(true as const),
    drain: fc.constant(true as const),
    maxconn: fc.constantFrom(1, 2),
    sinceMs: fc.integer({ min: nowMs - 20_000, max: nowMs }),
  },
  { requiredKeys: ["weight"] },
);

function pools(shares: fc.Arbitrary<Target["share"]>, maxLength = 6): fc.Arbitrary<TargetPool> {
  return fc
    .record({
      shares: fc.array(shares, { minLength: 1, maxLength }),
      policy: fc.constantFrom(...policies),
      slow: fc.boolean(),
    })
    .map(({ shares: list, policy, slow }) => {
      const targets = list.map((share, index) => {
        const taskId = `t${index}`;
        return {
          taskId,
          slot: index,
          nodeId: "n",
          server: null,
          port: 80,
          origin: `http://${taskId}`,
          gateway: null,
          share,
        };
      });
      const options = slow ? { slowStartMs: 10_000 } : {};
      return poolOf(targets, rulesOf({ ...serviceOf("s", 80, []), policy, options }));
    });
}

/** A repeatable request with a hash key. */
function query(key: string | null = null, tried: ReadonlySet<string> | null = null): PickQuery {
  const hints = { key, stickyTarget: null, stickyCookie: null, canaryOf: null };
  return { cursor: "r", tried, isRepeatable: true, hints };
}

test("[W11] no policy picks a task that the table, the request or this isolate excludes", () => {
  const ids = ["t0", "t1", "t2", "t3", "t4", "t5"];
  fc.assert(
    fc.property(
      pools(share),
      fc.subarray(ids),
      fc.subarray(ids),
      fc.array(fc.constantFrom(...ids), { maxLength: 6 }),
      fc.option(fc.string()),
      fc.infiniteStream(fc.double({ min: 0, max: 1, maxExcluded: true, noNaN: true })),
      (pool, triedIds, failedIds, openIds, key, random) => {
        const plane = planeWith(() => random.next().value);
        for (const id of failedIds) plane.outliers.failed(id, nowMs);
        for (const id of openIds) plane.openRequests.open(id, nowMs + 1);
        const tried = new Set(triedIds);
        const isFull = (target: Target) =>
          pool.hasMaxconn && plane.openRequests.of(target.taskId, nowMs) >= maxconnOf(target, pool.rules);
        const isUntried = ({ taskId }: Target) => !tried.has(taskId);
        const isHealthy = (target: Target) => isUntried(target) && !failedIds.includes(target.taskId);
        const picked = pickTarget(plane, pool, query(key, tried));
        const targets = [...pool.targets, ...(pool.backups?.targets ?? [])];
        if (picked === null) {
          // Backups may wait for a full target, so only the first tier must be exhausted.
          expect(pool.targets.filter((target) => isHealthy(target) && !isFull(target))).toEqual([]);
          return;
        }
        expect(targets).toContain(picked);
        expect(picked.share.weight).toBeGreaterThan(0);
        expect(picked.share.drain).toBeUndefined();
        expect(isUntried(picked) && !isFull(picked)).toBe(true);
        // A backup is picked only without a healthy target, a failed target only without a healthy peer.
        if (pool.backups?.targets.includes(picked)) expect(pool.targets.filter(isHealthy)).toEqual([]);
        const peers = pool.targets.includes(picked) ? pool.targets : (pool.backups?.targets ?? []);
        if (failedIds.includes(picked.taskId)) {
          const failed = peers.filter(({ taskId }) => failedIds.includes(taskId));
          expect(failed.length * 2 > peers.length || peers.filter(isHealthy).length === 0).toBe(true);
        }
      },
    ),
    { numRuns: 2_000 },
  );
});

test("[W8] in as many picks as the weights add up to, each task is picked as often as its weight", () => {
  const weighted = fc.record({ weight: fc.integer({ min: 1, max: 9 }) });
  fc.assert(
    fc.property(
      pools(weighted),
      fc.integer({ min: 1, max: 3 }),
      fc.double({ min: 0, max: 0.99, noNaN: true }),
      (generated, rounds, random) => {
        const pool = poolOf(generated.targets, { ...generated.rules, policy: "roundrobin", slowStartMs: 0 });
        const plane = planeWith(() => random);
        const total = pool.targets.reduce((sum, target) => sum + target.share.weight, 0);
        const counts = new Map<string, number>();
        for (let i = 0; i < rounds * total; i += 1) {
          const id = pickTarget(plane, pool, query())?.taskId ?? "";
          counts.set(id, (counts.get(id) ?? 0) + 1);
        }
        for (const { taskId, share: own } of pool.targets) {
          expect(Math.abs((counts.get(taskId) ?? 0) - rounds * own.weight)).toBeLessThanOrEqual(1);
        }
      },
    ),
  );
});

test("[W8] with equal weights shares differ by at most one, whatever fails and recovers, also with maxconn", () => {
  const equalShare = fc.constant({ weight: 3, maxconn: 5 });
  const steps = fc.array(fc.tuple(fc.integer({ min: 1, max: 12 }), fc.nat(5)), {
    minLength: 1,
    maxLength: 8,
  });
  fc.assert(
    fc.property(pools(equalShare), steps, (generated, rounds) => {
      const pool = poolOf(generated.targets, { ...generated.rules, policy: "roundrobin", slowStartMs: 0 });
      const plane = planeWith(() => 0);
      for (const [picks, failing] of rounds) {
        const failed = new Set(pool.targets.length > 2 ? [`t${failing % pool.targets.length}`] : []);
        for (const id of failed) plane.outliers.failed(id, nowMs);
        const counts = new Map<string, number>();
        for (let i = 0; i < picks; i += 1) {
          const id = pickTarget(plane, pool, query())?.taskId ?? "";
          counts.set(id, (counts.get(id) ?? 0) + 1);
        }
        // Failures last for all rounds. Once more than half of the pool failed, panic mode applies.
        const ejected = plane.outliers.ejectedAmong(pool.ids, nowMs, true);
        const shares = pool.ids.filter((id) => ejected?.has(id) !== true).map((id) => counts.get(id) ?? 0);
        expect(Math.max(...shares) - Math.min(...shares)).toBeLessThanOrEqual(1);
        for (const id of ejected ?? []) expect(counts.get(id) ?? 0).toBe(0);
      }
    }),
  );
});

test("[W10] a new task takes over about one key in n, and no other key moves", () => {
  fc.assert(
    fc.property(fc.integer({ min: 2, max: 40 }), fc.boolean(), fc.string(), (count, even, salt) => {
      const targets = Array.from({ length: count }, (_, index) => ({
        taskId: `task${salt}${String(index).padStart(3, "0")}`,
        slot: index,
        nodeId: "n",
        server: null,
        port: 80,
        origin: "http://t",
        gateway: null,
        share: { weight: even ? 1 : 1 + (index % 3) },
      }));
      const rules = rulesOf({ ...serviceOf("s", 80, []), policy: "uri" });
      const [before, after] = [poolOf(targets.slice(0, -1), rules), poolOf(targets, rules)];
      const plane = planeWith(() => 0);
      const added = targets.at(-1)?.taskId;
      const keys = Array.from({ length: 1_000 }, (_, n) => `/page/${n}`);
      let moved = 0;
      for (const key of keys) {
        const picked = pickTarget(plane, after, query(key))?.taskId;
        if (picked === pickTarget(plane, before, query(key))?.taskId) continue;
        expect(picked).toBe(added);
        moved += 1;
      }
      const weights = targets.reduce((sum, target) => sum + target.share.weight, 0);
      const fair = (1_000 * (targets.at(-1)?.share.weight ?? 0)) / weights;
      expect(Math.abs(moved - fair)).toBeLessThan(6 * Math.sqrt(fair) + 1);
    }),
    { numRuns: 50 },
  );
});
