// `npm run cost` as a user runs it.

import { spawnSync } from "node:child_process";
import { fileURLToPath } from "node:url";
import { expect, test } from "vitest";

const main = fileURLToPath(new URL("../../../../infra/cost/main.ts", import.meta.url));

function cost(...args: readonly string[]) {
  const { status, stdout, stderr } = spawnSync(process.execPath, [main, ...args], { encoding: "utf8" });
  return { status, stdout, stderr };
}

const mesh = ["--nodes", "3", "--rate", "100", "--isolates", "500"];

test("the bill of one mesh has its items, its limits and the check of the model", () => {
  const { status, stdout, stderr } = cost(...mesh);
  expect([status, stderr]).toEqual([0, ""]);
  for (const words of ["3 nodes, 100 req/s, 500 isolates", "object requests", "Workers Free", "predicted"])
    expect(stdout).toContain(words);
});

test("JSON has the same with all digits", () => {
  const { estimates } = JSON.parse(cost(...mesh, "--json").stdout) as {
    readonly estimates: readonly object[];
  };
  expect(estimates).toEqual([
    expect.objectContaining({ bill: expect.objectContaining({ total: expect.any(Number) }) }),
  ]);
});

test.each([
  [["--rate", "-1"], "--rate needs another value"],
  [["--results", "now"], 'cannot read --results "now": it is before or after'],
])("bad input is refused in one line: %j", (args, text) => {
  const { status, stdout, stderr } = cost(...args);
  expect([status, stdout]).toEqual([1, ""]);
  expect(stderr).toContain(text);
  expect(stderr.trimEnd().split("\n")).toHaveLength(1);
});
