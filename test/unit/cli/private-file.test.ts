// The lock of a file that only its owner may read; context.test.ts has the file itself.

import { spawn, spawnSync } from "node:child_process";
import { once } from "node:events";
import { mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, expect, test } from "vitest";
import { changePrivateFile } from "../../../src/cli/private-file.ts";
import { identify } from "../../../src/os/process-identity.ts";
import { until } from "../../support/until.ts";

let folder = "";
let file = "";
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), "waggle-private-"));
  file = join(folder, "contexts.json");
});
afterEach(() => rmSync(folder, { recursive: true }));

const append = (text: string, maxWaitMs?: number) =>
  changePrivateFile(
    file,
    () => {},
    (old) => (old ?? "") + text,
    maxWaitMs,
  );

test.each([
  ["a process that has ended", () => JSON.stringify({ pid: spawnSync("true").pid, started: "1" })],
  ["an earlier release, which wrote no holder", () => ""],
])("[L200] the lock of %s is taken over at once", async (_, text) => {
  writeFileSync(`${file}.lock`, text());
  await append("a", 0);
  expect(readFileSync(file, "utf8")).toBe("a");
  expect(readdirSync(folder)).toEqual(["contexts.json"]);
});

test("[L200] a change waits for a process that holds the lock, and is refused with its id after a while", async () => {
  const holder = spawn("sleep", ["60"]);
  const identity = await until("the holder to run", () => identify(holder.pid ?? 0));
  writeFileSync(`${file}.lock`, JSON.stringify(identity));
  await expect(append("a", 100)).rejects.toMatchObject({
    exitCode: 1,
    message: `${file} is being changed by process ${holder.pid}, for more than 0.1 s`,
  });
  const waiting = append("b");
  holder.kill();
  await once(holder, "exit");
  await waiting;
  expect(readFileSync(file, "utf8")).toBe("b");
});

test("[L200] a change whose lock another process has taken is not written, and starts again from its content", async () => {
  let calls = 0;
  await changePrivateFile(
    file,
    () => {},
    (old) => {
      calls += 1;
      if (calls > 1) return `${old}, own`;
      // As on another machine that shares the folder, and cannot see whether the holder runs.
      rmSync(`${file}.lock`);
      writeFileSync(`${file}.lock`, "");
      writeFileSync(file, "other", { mode: 0o600 });
      return "lost";
    },
  );
  expect([calls, readFileSync(file, "utf8")]).toEqual([2, "other, own"]);
});
