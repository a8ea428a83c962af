import { expect, test } from "vitest";
import { restartDelayMs } from "../../../src/local/supervised-child.ts";

test("[U101] the first restart is immediate; each later one waits twice as long, up to 10 s, without end", () => {
  expect([1, 2, 3, 4, 5, 6, 7, 1_000_000].map(restartDelayMs)).toEqual([
    0, 500, 1_000, 2_000, 4_000, 8_000, 10_000, 10_000,
  ]);
});
