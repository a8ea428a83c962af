import { spawnSync } from "node:child_process";
import { mkdtempSync, readdirSync, readFileSync, renameSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, expect, test } from "vitest";
import { acquireLock } from "../../../src/os/lock-file.ts";
import { identify } from "../../../src/os/process-identity.ts";

let folder: string;
let path: string;

beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), "waggle-lock-"));
  path = join(folder, "lock");
});
afterEach(() => rmSync(folder, { recursive: true, force: true }));

test("[N62] a lock has one holder, which it names, and is free once released", () => {
  const lock = acquireLock(path);
  expect(acquireLock(path)).toEqual({ isAcquired: false, holderPid: process.pid });
  if (!lock.isAcquired) throw new Error("not acquired");
  lock.release();
  lock.release();
  expect(acquireLock(path)).toMatchObject({ isAcquired: true });
});

test.each([
  ["of an ended process", () => JSON.stringify({ pid: spawnSync("true").pid, started: "1" })],
  ["of an id that another process has now", () => JSON.stringify({ pid: process.pid, started: "1" })],
  ["that was written in part", () => '{"pid":'],
])("[N62] a lock %s is taken over", (_, text) => {
  writeFileSync(path, text());
  expect(acquireLock(path)).toMatchObject({ isAcquired: true });
  expect(JSON.parse(readFileSync(path, "utf8"))).toEqual(identify(process.pid));
  expect(readdirSync(folder)).toEqual(["lock"]);
});

test("[N62] a lock that was removed or replaced is not held, and its release leaves the other one", () => {
  const lock = acquireLock(path);
  if (!lock.isAcquired) throw new Error("not acquired");
  expect(lock.isHeld()).toBe(true);
  renameSync(path, `${path}.old`);
  expect(lock.isHeld()).toBe(false);
  writeFileSync(path, "another");
  expect(lock.isHeld()).toBe(false);
  lock.release();
  expect(readFileSync(path, "utf8")).toBe("another");
  rmSync(folder, { recursive: true });
  expect(lock.isHeld()).toBe(false);
});
