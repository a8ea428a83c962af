import { execFileSync } from "node:child_process";
import { fileURLToPath } from "node:url";
import { expect, test } from "vitest";

const child = fileURLToPath(new URL("memory-child.ts", import.meta.url));

/** Half of what a Durable Object has: a snapshot and the calls on their way need a part. */
const maxTelemetryBytes = 64_000_000;
const maxRowBytes = 1_000_000;

test.each([
  ["ids of a usual length", []],
  ["names and ids of the greatest length, outside of ASCII", ["--long-names"]],
])(
  "[J414] more services, nodes, tasks and isolates than fit, with %s: memory and rows stay below their limits, and sums are right",
  (_what, flags) => {
    const text = execFileSync(process.execPath, ["--expose-gc", child, ...flags], { encoding: "utf8" });
    const { bytes, longestRow, sent, leftOut, ...sums } = JSON.parse(text);
    expect(bytes).toBeLessThan(maxTelemetryBytes);
    expect(longestRow).toBeLessThan(maxRowBytes);
    expect(sums).toEqual({ services: sent, nodes: sent, entries: sent, attempts: sent });
    expect(leftOut.map(({ kind }: { readonly kind: string }) => kind).sort()).toEqual([
      "colo",
      "node",
      "service",
      "task",
    ]);
  },
  60_000,
);
