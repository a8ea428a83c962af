import { readdirSync, readFileSync } from "node:fs";
import { Command } from "commander";
import { expect, test } from "vitest";
import { addEdgeFlags, type EdgeFlags, platformSettingsOf } from "../../../src/cli/up-edge.ts";
import { edgeSuites } from "../../support/edge-suites.ts";

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

test("[U443] CI runs the suites of whole meshes under the rules, and the chaos run", () => {
  const run = readFileSync(".ci/run", "utf8");
  expect(run).toMatch(/^tests npm run test:edge$/m);
  expect(run).toMatch(/chaos -- --edge --shard "\$half\/2"/);
});

const suiteText = (name: string) => readFileSync(`test/e2e/${name}.test.ts`, "utf8");

test("[X198] each end-to-end suite runs under the rules, or the table of suites says why it does not", () => {
  const files = readdirSync("test/e2e").map((file) => file.replace(/\.test\.ts$/, ""));
  expect(Object.keys(edgeSuites)).toEqual(files.sort());
  for (const [name, reason] of Object.entries(edgeSuites)) {
    const startsMesh = /\bMeshProcess\.start|\bstartPlane\(/.test(suiteText(name));
    if (reason === null)
      expect(startsMesh, `${name} starts no mesh, so that the rules mean nothing`).toBe(true);
    else if (reason.startsWith("starts no mesh")) expect(startsMesh, `${name} starts a mesh`).toBe(false);
  }
});
