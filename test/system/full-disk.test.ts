// Files of a state folder on a disk that is full.

import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync, statSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { afterAll, afterEach, describe, expect, test } from "vitest";
import { rotateLog } from "../../src/agent/log-file.ts";
import { writeFileAtomically } from "../../src/os/files.ts";
import { SmallDisk } from "../support/small-disk.ts";

const disk = SmallDisk.mount(24);
const hasDisk = disk instanceof SmallDisk;

afterEach(() => {
  if (hasDisk) disk.free();
});
afterAll(() => {
  if (hasDisk) disk.unmount();
});

describe.skipIf(!hasDisk)(`a full disk${hasDisk ? "" : ` (skipped: cannot mount a tmpfs: ${disk})`}`, () => {
  const { path = "" } = disk as Partial<SmallDisk>;
  const fill = () => hasDisk && disk.fill();

  test("[N61] a failed write names the file, and leaves its old content and no draft", () => {
    const folder = mkdtempSync(join(path, "files-"));
    const file = join(folder, "file");
    writeFileAtomically(file, "old");
    fill();
    const failure = `cannot write ${file}: the disk is full`;
    expect(() => writeFileAtomically(file, "new".repeat(10_000))).toThrow(failure);
    expect(readdirSync(folder)).toEqual(["file"]);
    expect(readFileSync(file, "utf8")).toBe("old");
  });

  test("[N63] a long log that cannot be copied is dropped", () => {
    const log = join(path, "long.log");
    const text = "x".repeat(9 * 1024 * 1024);
    writeFileSync(log, text);
    rotateLog(log);
    expect([statSync(log).size, statSync(`${log}.1`).size]).toEqual([0, text.length]);
    rmSync(`${log}.1`);
    writeFileSync(log, text);
    fill();
    rotateLog(log);
    expect(statSync(log).size).toBe(0);
    expect(existsSync(`${log}.1`)).toBe(false);
    rmSync(log);
  });
});
