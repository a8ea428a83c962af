import { expect, test } from "vitest";
import { ConnectionSlots } from "../../../../src/local/platform/connection-slots.ts";

test("[U433] six connections of an invocation wait at a time, and the next begins when one has its response", async () => {
  const slots = new ConnectionSlots();
  const begun: number[] = [];
  const ends: (() => void)[] = [];
  const runs = Array.from({ length: 8 }, (_, index) =>
    slots.run(() => {
      begun.push(index);
      return new Promise<void>((resolve) => ends.push(resolve));
    }),
  );
  await Promise.resolve();
  expect(begun).toEqual([0, 1, 2, 3, 4, 5]);
  ends[3]?.();
  await runs[3];
  await Promise.resolve();
  expect(begun).toEqual([0, 1, 2, 3, 4, 5, 6]);
  for (const end of ends) end();
  await runs[6];
  ends[7]?.();
  await Promise.all(runs);
  expect(begun).toHaveLength(8);
});

test("[U433] a failed connection is free again", async () => {
  const slots = new ConnectionSlots();
  const failing = Array.from({ length: 7 }, () => slots.run(() => Promise.reject(new Error("reset"))));
  const results = await Promise.allSettled(failing);
  expect(results.every(({ status }) => status === "rejected")).toBe(true);
});
