import { readFileSync } from "node:fs";
import { Command } from "commander";
import { expect, test } from "vitest";
import { addEdgeFlags, type EdgeFlags, platformSettingsOf } from "../../../src/cli/up-edge.ts";

/** The rules of a command line. */
function settings(...args: readonly string[]) {
  const command = new Command("up").exitOverride().option("--split").option("--ca <file>");
  addEdgeFlags(command);
  command.parse([...args], { from: "user" });
  return platformSettingsOf(command.opts<EdgeFlags>());
}

test("[U442] --edge has rules of its own, and each option sets one", () => {
  expect(settings()).toBeUndefined();
  expect(settings("--edge")).toMatchObject({
    rttMs: 50,
    isolates: 4,
    requestsPerSecond: 1_000,
    rowsPerDay: null,
  });
  const set = settings(
    ...["--edge", "--rtt", "150", "--isolates", "8", "--evict-every", "5s", "--reset-every", "1m"],
    ...["--object-rate", "500", "--rows-per-day", "100000", "--seed", "42"],
  );
  expect(set).toEqual({
    rttMs: 150,
    isolates: 8,
    evictEveryMs: 5_000,
    resetEveryMs: 60_000,
    requestsPerSecond: 500,
    // Workers Free: 5 million read, 100,000 written.
    rowsPerDay: { read: 5_000_000, written: 100_000 },
    seed: 42,
  });
});

test.each([
  [["--rtt", "150"], "--rtt needs --edge"],
  [["--isolates", "2"], "--isolates needs --edge"],
  [["--edge", "--split"], "leave --split out"],
  [["--edge", "--isolates", "0"], "must be between 1 and 64"],
  [["--edge", "--rtt", "far"], "must be a duration such as 150ms"],
  [["--edge", "--object-rate", "0"], "must be a whole number, 1 or more"],
])("[U442] %j is refused with what would work", (args, message) => {
  expect(() => settings(...args)).toThrow(message);
});

test("[X196] --edge with --ca is refused, because no Worker would trust that authority", () => {
  expect(() => settings("--edge", "--ca", "authority.pem")).toThrow(
    "public authorities only: leave --ca out, or --edge",
  );
});

test("[U443] CI runs the suites about the behavior of a mesh under the rules, and rows of the chaos run", () => {
  const config = readFileSync("vitest.config.ts", "utf8");
  const suites = /const edgeSuites = \[([^\]]*)\]/.exec(config)?.[1]?.match(/\w[\w-]*/g) ?? [];
  expect(suites).toEqual(expect.arrayContaining(["mesh", "dataplane", "balancing"]));
  const run = readFileSync(".ci/run", "utf8");
  expect(run).toMatch(/^tests npm run test:edge$/m);
  expect(run).toMatch(/chaos -- --edge --only/);
});
