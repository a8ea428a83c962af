// The outer process of a balancer, with a child that is killed.

import { type ChildProcess, spawn } from "node:child_process";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, expect, test } from "vitest";
import { until } from "../../support/until.ts";

const folder = mkdtempSync(join(tmpdir(), "waggle-holder-"));
let holder: ChildProcess | null = null;
afterAll(() => {
  holder?.kill("SIGKILL");
  rmSync(folder, { recursive: true });
});

test("[U499] a stop while a killed process waits for its restart starts none, and exits with 0", async () => {
  const program = new URL("../../support/held-program.ts", import.meta.url).pathname;
  const started = spawn(process.execPath, [program, folder], { stdio: ["ignore", "pipe", "inherit"] });
  holder = started;
  const exited = new Promise((resolve) => started.once("exit", resolve));
  let output = "";
  started.stdout.on("data", (chunk: Buffer) => {
    output += chunk;
  });
  const children = (): number[] => [...output.matchAll(/^child (\d+)$/gm)].map(([, pid]) => Number(pid));
  const kills = (): number => output.split("was ended by SIGKILL").length - 1;
  // Each restart waits longer, so that the stop comes before the last one.
  for (let count = 1; count <= 4; count += 1) {
    await until(`child ${count}`, () => children().length === count);
    process.kill(children().at(-1) ?? Number.NaN, "SIGKILL");
    await until(`kill ${count}`, () => kills() === count);
  }
  started.kill("SIGTERM");
  expect(await exited).toBe(0);
  expect(children()).toHaveLength(4);
});
