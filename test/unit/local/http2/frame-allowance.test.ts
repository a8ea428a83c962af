import { expect, test } from "vitest";
import { FrameAllowance } from "../../../../src/local/http2/frame-allowance.ts";

const none = { received: 0, heads: 0, bodies: 0, sent: 0, abandoned: 0 };

/** Seconds until a client that causes this each second has exceeded its allowance; null: it does not in an hour. */
function secondsUntilExceeded(eachSecond: Partial<typeof none>): number | null {
  const allowance = new FrameAllowance(0);
  const traffic = { ...none };
  for (let second = 1; second <= 3_600; second += 1) {
    for (const [name, bytes] of Object.entries(eachSecond)) traffic[name as keyof typeof none] += bytes;
    if (allowance.isExceeded(traffic, second * 1_000)) return second;
  }
  return null;
}

test.each([
  ["100,000 PINGs", { received: 1_700_000 }, 1],
  ["5,000 PINGs", { received: 85_000 }, 4],
  ["2,000 WINDOW_UPDATEs of 1 byte", { received: 26_000, sent: 2_000 }, 28],
  ["5,000 parts of a body of 1 byte", { received: 50_000, bodies: 5_000 }, 12],
])("[Q74] %s a second exceed the allowance", (_what, traffic, seconds) => {
  const found = secondsUntilExceeded(traffic);
  expect(found).not.toBeNull();
  expect(Math.abs((found ?? 0) - seconds)).toBeLessThanOrEqual(3);
});

test.each([
  [1_000, 1],
  [100, 4],
])("[Q73] %i resets of streams a second exceed the allowance", (abandoned, seconds) => {
  const found = secondsUntilExceeded({ abandoned, received: 60 * abandoned, heads: 60 * abandoned }) ?? 3_600;
  expect(Math.abs(found - seconds)).toBeLessThanOrEqual(1);
});

test("[Q73] a browser may leave a page with a hundred open requests each ten seconds", () => {
  const allowance = new FrameAllowance(0);
  for (let count = 1; count <= 100; count += 1)
    expect(allowance.isExceeded({ ...none, abandoned: 100 * count }, count * 10_000)).toBe(false);
});

test.each([
  ["an idle connection with a PING", { received: 17 }],
  ["a fast download, confirmed for each 16 KiB", { received: 65_536 * 26, sent: 2 ** 30 }],
  ["a fast upload in frames of 16 KiB", { received: 2 ** 30 + 65_536 * 9, bodies: 2 ** 30 }],
  ["an upload of 1,000 lines of 20 bytes", { received: 29_000, bodies: 20_000 }],
  ["10,000 requests, compressed to 40 bytes", { received: 660_000, heads: 10_000 * 200, sent: 10_000 * 100 }],
])("[Q74] %s a second does not", (_what, traffic) => {
  expect(secondsUntilExceeded(traffic)).toBeNull();
});
