// The length of the request path, so that it stays short enough to read.

import { execFileSync } from "node:child_process";
import { fileURLToPath } from "node:url";
import { expect, test } from "vitest";

const script = fileURLToPath(new URL("../bench/request-path.ts", import.meta.url));

test.each([
  ["to a static server", [], 20, 55],
  ["to a task behind a gateway", ["--gateway"], 23, 68],
] as const)(
  "[U71] a warm GET %s enters few files and named functions",
  (_what, flags, files, functions) => {
    // Coverage counts the sources as Node loads them, so the script runs in a process of its own.
    const args = [script, "--json", ...flags];
    const counts = JSON.parse(execFileSync(process.execPath, args, { encoding: "utf8" }));
    expect(counts.files).toBeLessThanOrEqual(files);
    expect(counts.functions).toBeLessThanOrEqual(functions);
  },
  30_000,
);
