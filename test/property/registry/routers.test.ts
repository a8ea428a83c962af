import fc from "fast-check";
import { expect, test } from "vitest";
import { Routers, routerLiveMs } from "../../../src/registry/routers.ts";

type Known = { version: number; seenAtMs: number; waiting: number };

const id = fc.nat(5).map((number) => `router${number}`);
const calls = fc.oneof(
  fc.tuple(fc.constant("poll" as const), id, fc.nat(4)),
  fc.tuple(fc.constant("hold" as const), id, fc.constant(0)),
  fc.tuple(fc.constant("release" as const), id, fc.constant(0)),
  fc.tuple(fc.constant("pass" as const), id, fc.constantFrom(1, 500, 2_999, 3_000)),
  fc.tuple(fc.constant("set back" as const), id, fc.constantFrom(100, 10_000)),
);

test("[M193] what is known of routers is exact, whatever they do", () => {
  fc.assert(
    fc.property(fc.array(calls, { maxLength: 60, size: "max" }), fc.nat(5), (steps, version) => {
      const routers = new Routers();
      routers.start(0);
      const known = new Map<string, Known>();
      let nowMs = 1_000_000;
      for (const [what, routerId, number] of steps) {
        const router = known.get(routerId);
        if (what === "poll") {
          routers.recordPoll(routerId, number, nowMs);
          known.set(routerId, { version: number, seenAtMs: nowMs, waiting: router?.waiting ?? 0 });
        } else if (what === "hold") {
          // As the shell does: a call is recorded first.
          if (router !== undefined && routers.versionOf(routerId) !== undefined) {
            routers.hold(routerId);
            router.waiting += 1;
          }
        } else if (what === "release") {
          if (router !== undefined && router.waiting > 0) {
            routers.release(routerId, nowMs);
            router.waiting -= 1;
            router.seenAtMs = nowMs;
          }
        } else if (what === "pass") nowMs += number;
        // An expired router that is not removed yet would be live again.
        else if (routers.live(nowMs).length === known.size) {
          nowMs -= number;
          routers.followClock(nowMs);
          for (const each of known.values()) each.seenAtMs = Math.min(each.seenAtMs, nowMs);
        }
        const untilMs = ({ seenAtMs, waiting }: Known) => (waiting > 0 ? nowMs : seenAtMs) + routerLiveMs;
        const live = [...known].filter(([, each]) => untilMs(each) > nowMs);
        const behind = live.filter(([, each]) => each.version < version);
        expect([...routers.live(nowMs)].sort()).toEqual(live.map(([each]) => each).sort());
        expect(routers.countBehind(version, nowMs)).toBe(behind.length);
        const upToDateAtMs = routers.upToDateAtMs(version, nowMs);
        if (behind.length === 0) expect(upToDateAtMs).toBeLessThanOrEqual(nowMs);
        else expect(upToDateAtMs).toBe(Math.max(...behind.map(([, each]) => untilMs(each))));
      }
    }),
    { numRuns: 500 },
  );
});
