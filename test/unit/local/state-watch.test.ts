import { expect, test } from "vitest";
import { isDiskFull } from "../../../src/local/state-watch.ts";

const kib = 1_024;

test("[U102] a disk is full below 512 KiB, and has space again only from 1 MiB on", () => {
  expect(isDiskFull(false, 512 * kib - 1)).toBe(true);
  expect(isDiskFull(false, 512 * kib)).toBe(false);
  expect(isDiskFull(true, 1_024 * kib - 1)).toBe(true);
  expect(isDiskFull(true, 1_024 * kib)).toBe(false);
});
