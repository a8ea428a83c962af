// The length of the request path, so that it stays short enough to read.

import { execFileSync } from "node:child_process";
import { fileURLToPath } from "node:url";
import { expect, test } from "vitest";

const script = fileURLToPath(new URL("../bench/request-path.ts", import.meta.url));

test("[U71] a warm GET enters at most 20 files and 55 named functions", () => {
  // Coverage counts the sources as Node loads them, so the script runs in a process of its own.
  const counts = JSON.parse(execFileSync(process.execPath, [script, "--json"], { encoding: "utf8" }));
  expect(counts.files).toBeLessThanOrEqual(20);
  expect(counts.functions).toBeLessThanOrEqual(55);
});
