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

function rings(shares: fc.Arbitrary<Target["share"]>, maxLength = 6): fc.Arbitrary<TargetPool> {
  return fc
    .record({
      shares: fc.array(shares, { minLength: 1, maxLength }),
      policy: fc.constantFrom(...policies),
      slow: fc.boolean(),
    })
    .map(({ shares: list, policy, slow }) => {
      const targets = list.map((one, index) => {
        const taskId = `t${index}`;
        return { taskId, slot: index, nodeId: "n", server: null, origin: `http://${taskId}`, share: one };
      });
      const options = slow ? { slowStartMs: 10_000 } : {};
      return poolOf(targets, rulesOf({ ...serviceOf("s", 80, []), policy, options }));
    });
}

/** A request that may be repeated, with the key that its policy hashes. */
function query(key: string | null = null, tried: ReadonlySet<string> | null = null): PickQuery {
  const hints = { key, stickyTarget: null, stickyCookie: null, canaryOf: null };
  return { cursor: "r", tried, isRepeatable: true, hints };
}

test("[W11] under every policy no task is picked that the table, the request or this isolate excludes", () => {
  const ids = ["t0", "t1", "t2", "t3", "t4", "t5"];
  fc.assert(
    fc.property(
      rings(share),
      fc.subarray(ids),
      fc.subarray(ids),
      fc.array(fc.constantFrom(...ids), { maxLength: 6 }),
      fc.option(fc.string()),
      fc.infiniteStream(fc.double({ min: 0, max: 1, maxExcluded: true, noNaN: true })),
      (ring, triedIds, failedIds, openIds, key, random) => {
        const plane = planeWith(() => random.next().value);
        for (const id of failedIds) plane.outliers.failed(id, nowMs);
        for (const id of openIds) plane.open.open(id, nowMs + 1);
        const tried = new Set(triedIds);
        const isFull = (one: Target) =>
          ring.hasMaxconn && plane.open.of(one.taskId, nowMs) >= maxconnOf(one, ring.rules);
        const isLeft = ({ taskId }: Target) => !tried.has(taskId);
        const isWell = (one: Target) => isLeft(one) && !failedIds.includes(one.taskId);
        const picked = pickTarget(plane, ring, query(key, tried));
        const takers = [...ring.targets, ...(ring.backups?.targets ?? [])];
        if (picked === null) {
          expect(
            takers.filter((one) => isLeft(one) && !isFull(one) && isWell(one) && isFirst(ring, one)),
          ).toEqual([]);
          return;
        }
        expect(takers).toContain(picked);
        expect(picked.share.weight).toBeGreaterThan(0);
        expect(picked.share.drain).toBeUndefined();
        expect(isLeft(picked) && !isFull(picked)).toBe(true);
        // A backup only where no other is well, and one that failed only where it has to be.
        if (ring.backups?.targets.includes(picked)) expect(ring.targets.filter(isWell)).toEqual([]);
        const peers = ring.targets.includes(picked) ? ring.targets : (ring.backups?.targets ?? []);
        if (failedIds.includes(picked.taskId)) {
          const failed = peers.filter(({ taskId }) => failedIds.includes(taskId));
          expect(failed.length * 2 > peers.length || peers.filter(isWell).length === 0).toBe(true);
        }
      },
    ),
    { numRuns: 2_000 },
  );
});

/** Where nothing else is left for a request, this one at least should have been picked. */
function isFirst(ring: TargetPool, one: Target): boolean {
  return ring.targets.includes(one);
}

test("[W8] over each stretch of as many picks as the weights add up to, everybody gets its weight", () => {
  const weighted = fc.record({ weight: fc.integer({ min: 1, max: 9 }) });
  fc.assert(
    fc.property(
      rings(weighted),
      fc.integer({ min: 1, max: 3 }),
      fc.double({ min: 0, max: 0.99, noNaN: true }),
      (made, rounds, random) => {
        const ring = poolOf(made.targets, { ...made.rules, policy: "roundrobin", slowStartMs: 0 });
        const plane = planeWith(() => random);
        const total = ring.targets.reduce((sum, one) => sum + one.share.weight, 0);
        const counts = new Map<string, number>();
        for (let i = 0; i < rounds * total; i += 1) {
          const id = pickTarget(plane, ring, query())?.taskId ?? "";
          counts.set(id, (counts.get(id) ?? 0) + 1);
        }
        for (const { taskId, share: own } of ring.targets) {
          expect(Math.abs((counts.get(taskId) ?? 0) - rounds * own.weight)).toBeLessThanOrEqual(1);
        }
      },
    ),
  );
});

test("[W8] by equal weights shares differ by at most one, whatever fails and returns, also where limits are", () => {
  const same = fc.constant({ weight: 3, maxconn: 5 });
  const steps = fc.array(fc.tuple(fc.integer({ min: 1, max: 12 }), fc.nat(5)), {
    minLength: 1,
    maxLength: 8,
  });
  fc.assert(
    fc.property(rings(same), steps, (made, story) => {
      const ring = poolOf(made.targets, { ...made.rules, policy: "roundrobin", slowStartMs: 0 });
      const plane = planeWith(() => 0);
      for (const [picks, failing] of story) {
        const out = new Set(ring.targets.length > 2 ? [`t${failing % ring.targets.length}`] : []);
        for (const id of out) plane.outliers.failed(id, nowMs);
        const counts = new Map<string, number>();
        for (let i = 0; i < picks; i += 1) {
          const id = pickTarget(plane, ring, query())?.taskId ?? "";
          counts.set(id, (counts.get(id) ?? 0) + 1);
        }
        // Failures stay for the rest of the story: beyond half of the ring it is panic, and all take turns.
        const passed = plane.outliers.ejectedAmong(ring.ids, nowMs, false);
        const shares = ring.ids.filter((id) => passed?.has(id) !== true).map((id) => counts.get(id) ?? 0);
        expect(Math.max(...shares) - Math.min(...shares)).toBeLessThanOrEqual(1);
        for (const id of passed ?? []) expect(counts.get(id) ?? 0).toBe(0);
      }
    }),
  );
});

test("[W10] one task more takes keys over and moves no other; about one in n", () => {
  fc.assert(
    fc.property(fc.integer({ min: 2, max: 40 }), fc.boolean(), fc.string(), (count, even, salt) => {
      const targets = Array.from({ length: count }, (_, index) => ({
        taskId: `task${salt}${String(index).padStart(3, "0")}`,
        slot: index,
        nodeId: "n",
        server: null,
        origin: "http://t",
        share: { weight: even ? 1 : 1 + (index % 3) },
      }));
      const rules = rulesOf({ ...serviceOf("s", 80, []), policy: "uri" });
      const [before, after] = [poolOf(targets.slice(0, -1), rules), poolOf(targets, rules)];
      const plane = planeWith(() => 0);
      const added = targets.at(-1)?.taskId;
      const keys = Array.from({ length: 1_000 }, (_, n) => `/page/${n}`);
      let moved = 0;
      for (const key of keys) {
        const now = pickTarget(plane, after, query(key))?.taskId;
        if (now === pickTarget(plane, before, query(key))?.taskId) continue;
        expect(now).toBe(added);
        moved += 1;
      }
      const weights = targets.reduce((sum, one) => sum + one.share.weight, 0);
      const fair = (1_000 * (targets.at(-1)?.share.weight ?? 0)) / weights;
      expect(Math.abs(moved - fair)).toBeLessThan(6 * Math.sqrt(fair) + 1);
    }),
    { numRuns: 50 },
  );
});
