import {
  chmodSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  symlinkSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { DependencyFiles } from "../../../src/agent/dependency-files.ts";
import { openMemoryFolder } from "../../../src/agent/memory-folder.ts";
import type { DependencyFile } from "../../../src/protocol/engine/dependency-files.ts";

const file = (change: Partial<DependencyFile> = {}): DependencyFile => ({
  kind: "secret",
  id: "a".repeat(25),
  name: "password",
  target: "password",
  uid: 0,
  gid: 0,
  mode: 0o444,
  ...change,
});

const modeOf = (path: string) => (statSync(path).mode & 0o7777).toString(8);
const isRoot = process.getuid?.() === 0;
const { signal } = new AbortController();

describe("the files of a node's tasks", () => {
  let root: string;
  let path: string;
  let fetched: string[];

  const newFiles = () =>
    new DependencyFiles(
      () => {
        mkdirSync(path, { recursive: true });
        return { path };
      },
      async ({ name }) => {
        fetched.push(name);
        return name === "refused"
          ? { ok: false, reason: "no such secret" }
          : { ok: true, data: Buffer.from(`data of ${name}`) };
      },
    );

  beforeEach(() => {
    root = mkdtempSync(join(tmpdir(), "waggle-files-"));
    path = join(root, "memory");
    fetched = [];
  });

  afterEach(() => rmSync(root, { recursive: true, force: true }));

  test("[N220] a process gets files of mode 0600 in folders of mode 0700, secrets and configs apart", async () => {
    const wanted = [file(), file({ kind: "config", target: "etc/app.conf", mode: 0o777 })];
    const placed = await newFiles().place("task", wanted, "process", signal);
    const paths = placed.ok ? placed.files.map(({ path }) => path) : [];
    expect(paths).toEqual([join(path, "task/secret/password"), join(path, "task/config/etc/app.conf")]);
    expect(paths.map((each) => readFileSync(each, "utf8"))).toEqual(["data of password", "data of password"]);
    expect(paths.map(modeOf)).toEqual(["600", "600"]);
    expect(paths.map((each) => modeOf(dirname(each)))).toEqual(["700", "700"]);
  });

  test.skipIf(!isRoot)(
    "[N221] a container's file has the owner and mode that the service asks for",
    async () => {
      const wanted = [file({ uid: 101, gid: 102, mode: 0o440, target: "/etc/app/password" })];
      const placed = await newFiles().place("task", wanted, "container", signal);
      const found = placed.ok ? (placed.files[0]?.path ?? "") : "";
      const { uid, gid } = statSync(found);
      expect([uid, gid, modeOf(found)]).toEqual([101, 102, "440"]);
      expect(found.startsWith(`${path}/task/`)).toBe(true);
    },
  );

  test("[N222] the files of a task are removed when it has ended, and the folder when it is empty", async () => {
    const files = newFiles();
    await files.place("one", [file()], "process", signal);
    await files.place("two", [file()], "process", signal);
    files.remove("one");
    expect(readdirSync(path)).toEqual(["two"]);
    files.remove("two");
    expect(existsSync(path)).toBe(false);
    expect((await files.place("three", [file()], "process", signal)).ok).toBe(true);
  });

  test("[N222] an agent that starts again keeps the files of live tasks and sweeps all others", async () => {
    const before = newFiles();
    await before.place("live", [file()], "process", signal);
    await before.place("ended", [file()], "process", signal);
    const after = newFiles();
    after.sweep(new Set(["live"]));
    expect(readdirSync(path)).toEqual(["live"]);
    after.remove("live");
    expect(existsSync(path)).toBe(false);
  });

  test("[N223] a task is placed again over what an attempt left, and a refusal is the task's reason", async () => {
    const files = newFiles();
    const wanted = [file({ mode: 0o400 }), file({ name: "refused", target: "other" })];
    const refused = { ok: false, reason: "no such secret" };
    expect(await files.place("task", wanted, "container", signal)).toEqual(refused);
    expect(await files.place("task", wanted.slice(0, 1), "container", signal)).toMatchObject({ ok: true });
    const clash = [file({ target: "a" }), file({ target: "a/b" })];
    expect(await files.place("clash", clash, "process", signal)).toMatchObject({
      ok: false,
      reason: expect.stringMatching(/^cannot write secret password into the node's memory: /),
    });
    expect(readdirSync(path)).toEqual(["task"]);
  });

  test("[N223] nothing is written for a task that was stopped while its data was on the way", async () => {
    const stopped = AbortSignal.abort();
    expect(await newFiles().place("task", [file()], "process", stopped)).toEqual({
      ok: false,
      reason: "stopped",
    });
    expect(existsSync(join(path, "task"))).toBe(false);
  });

  test("[N224] without a folder in memory no data is fetched, and the reason says what would work", async () => {
    const files = new DependencyFiles(
      () => ({ why: "no tmpfs" }),
      async () => {
        throw new Error("fetched");
      },
    );
    expect(await files.place("task", [file()], "process", signal)).toEqual({ ok: false, reason: "no tmpfs" });
    expect(await files.place("task", [], "process", signal)).toEqual({ ok: true, files: [] });
  });
});

describe("the folder in memory", () => {
  const stateDir = `/tmp/state-${process.pid}`;
  let made: string[] = [];

  afterEach(() => {
    for (const path of made) rmSync(path, { recursive: true, force: true });
    made = [];
  });

  test("[N224] it is on a tmpfs, of this user alone, and another agent has another one", () => {
    const [one, other] = [openMemoryFolder(stateDir, {}), openMemoryFolder(`${stateDir}2`, {})];
    for (const folder of [one, other]) if ("path" in folder) made.push(folder.path);
    expect(one).toMatchObject({ path: expect.stringMatching(/^\/(run|dev\/shm)\//) });
    expect(new Set(made).size).toBe(2);
    expect(made.map(modeOf)).toEqual(["700", "700"]);
    expect(openMemoryFolder(stateDir, {})).toEqual(one);
  });

  test("[N224] a folder that others can open, or a link to one, is not used", () => {
    const runtime = mkdtempSync("/dev/shm/waggle-test-");
    made.push(runtime);
    mkdirSync(join(runtime, "waggle"));
    chmodSync(join(runtime, "waggle"), 0o755);
    const env = { XDG_RUNTIME_DIR: runtime };
    const folder = openMemoryFolder(stateDir, env);
    if ("path" in folder) made.push(folder.path);
    expect("path" in folder && folder.path.startsWith(runtime)).toBe(false);
    rmSync(join(runtime, "waggle"), { recursive: true });
    mkdirSync(join(runtime, "target"), { mode: 0o700 });
    symlinkSync(join(runtime, "target"), join(runtime, "waggle"));
    const next = openMemoryFolder(stateDir, env);
    expect("path" in next && next.path.startsWith(runtime)).toBe(false);
  });
});
