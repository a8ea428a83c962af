import { afterEach, beforeEach, expect, test, vi } from "vitest";
import { type CountedAllReply, CounterForwarder } from "../../../workers/counter-forwarder.ts";

beforeEach(() => {
  vi.useFakeTimers();
});

afterEach(() => {
  vi.useRealTimers();
  vi.restoreAllMocks();
});

/** A forwarder whose calls are noted and replied to by the test. */
class TestForwarder {
  readonly calls: { readonly deltas: readonly string[]; readonly waitedMs: readonly number[] }[] = [];
  readonly replies: ((reply: CountedAllReply) => void)[] = [];
  readonly rejects: ((error: Error) => void)[] = [];
  wakes = 0;
  readonly forwarder: CounterForwarder;

  constructor(areCallsFree = false) {
    this.forwarder = this.#forwarder(areCallsFree);
  }

  #forwarder(areCallsFree: boolean): CounterForwarder {
    return new CounterForwarder({
      areCallsFree,
      nowMs: () => Date.now(),
      onWatched: () => {
        this.wakes += 1;
      },
      send: (deltas, waitedMs) => {
        this.calls.push({ deltas, waitedMs });
        return new Promise((resolve, reject) => {
          this.replies.push(resolve);
          this.rejects.push(reject);
        });
      },
    });
  }

  /** Replies to the last call: everything is counted. */
  reply(isWatched: boolean): void {
    this.replies.at(-1)?.({ isWatched });
  }
}

test("[J410] the deltas of many routers are forwarded in one call, every ten seconds while no reader looks", async () => {
  const test = new TestForwarder();
  const replies = [test.forwarder.add("1")];
  await vi.advanceTimersByTimeAsync(4_000);
  replies.push(test.forwarder.add("2"));
  await vi.advanceTimersByTimeAsync(5_999);
  expect(test.calls).toEqual([]);
  await vi.advanceTimersByTimeAsync(1);
  expect(test.calls).toEqual([{ deltas: ["1", "2"], waitedMs: [10_000, 6_000] }]);
  test.reply(false);
  expect(await Promise.all(replies)).toEqual([true, true]);
});

test("[J410] where calls cost nothing, deltas are forwarded after a second", async () => {
  const test = new TestForwarder(true);
  void test.forwarder.add("1");
  await vi.advanceTimersByTimeAsync(1_000);
  expect(test.calls).toEqual([{ deltas: ["1"], waitedMs: [1_000] }]);
});

test("[J410] while the telemetry is watched, deltas are forwarded after a second", async () => {
  const test = new TestForwarder();
  void test.forwarder.add("1");
  await vi.advanceTimersByTimeAsync(10_000);
  test.reply(true);
  await vi.advanceTimersByTimeAsync(0);
  expect([test.forwarder.isWatched, test.wakes]).toEqual([true, 1]);
  void test.forwarder.add("2");
  await vi.advanceTimersByTimeAsync(1_000);
  expect(test.calls.map(({ deltas }) => deltas)).toEqual([["1"], ["2"]]);
  test.reply(false);
  await vi.advanceTimersByTimeAsync(0);
  expect(test.forwarder.isWatched).toBe(false);
});

test("[J411] notice of a live read wakes the routers, and sends what waits", async () => {
  vi.spyOn(console, "error").mockImplementation(() => undefined);
  const test = new TestForwarder();
  void test.forwarder.add("1");
  test.forwarder.noteWatched();
  expect([test.calls.length, test.wakes]).toEqual([1, 1]);
  test.forwarder.noteWatched();
  expect(test.wakes).toBe(1);
  await vi.advanceTimersByTimeAsync(60_000);
  expect(test.forwarder.isWatched).toBe(false);
});

test("[J411] a reply from before the notice does not end the watch", async () => {
  const test = new TestForwarder();
  void test.forwarder.add("1");
  await vi.advanceTimersByTimeAsync(10_000);
  test.forwarder.noteWatched();
  test.reply(false);
  await vi.advanceTimersByTimeAsync(0);
  expect(test.forwarder.isWatched).toBe(true);
});

test("[J410] a call that fails, or takes too long, leaves all of its deltas uncounted", async () => {
  vi.spyOn(console, "error").mockImplementation(() => undefined);
  const test = new TestForwarder();
  const first = [test.forwarder.add("1"), test.forwarder.add("2")];
  await vi.advanceTimersByTimeAsync(10_000);
  test.rejects[0]?.(new Error("reset"));
  expect(await Promise.all(first)).toEqual([false, false]);
  const second = test.forwarder.add("1");
  await vi.advanceTimersByTimeAsync(20_000);
  expect(test.calls).toHaveLength(2);
  expect(await second).toBe(false);
});

test("[J410] deltas that come during a call are the next one", async () => {
  const test = new TestForwarder();
  void test.forwarder.add("1");
  await vi.advanceTimersByTimeAsync(10_000);
  void test.forwarder.add("2");
  await vi.advanceTimersByTimeAsync(9_000);
  expect(test.calls).toHaveLength(1);
  test.reply(false);
  await vi.advanceTimersByTimeAsync(1_000);
  expect(test.calls.map(({ deltas }) => deltas)).toEqual([["1"], ["2"]]);
});

test("[J410] a large batch is sent at once, and what the forwarder holds is bounded", async () => {
  const test = new TestForwarder();
  const delta = "x".repeat(500_000);
  for (let at = 0; at < 3; at += 1) void test.forwarder.add(delta);
  expect(test.calls).toHaveLength(1);
  for (let at = 3; at < 33; at += 1) void test.forwarder.add(delta);
  expect(await test.forwarder.add(delta)).toBe(false);
  test.reply(false);
  await vi.advanceTimersByTimeAsync(0);
  expect(test.calls.map(({ deltas }) => deltas.length)).toEqual([3, 30]);
});
