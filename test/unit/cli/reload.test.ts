// `waggle reload` against a process that answers its signal as the outer process of a balancer does.

import { type ChildProcess, spawn } from "node:child_process";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, expect, test } from "vitest";
import { agentLockFile } from "../../../src/agent/state-dir.ts";
import { wait } from "../../../src/agent/wait.ts";
import {
  controlHolderLockFile,
  holderNote,
  type ReloadOutcome,
  reloadFile,
} from "../../../src/local/reload-file.ts";
import { identify } from "../../../src/os/process-identity.ts";
import { type RunResult, runCli } from "./support.ts";

let folder = "";
let holder: ChildProcess | null = null;
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), "waggle-reload-"));
});
afterEach(() => {
  holder?.kill("SIGKILL");
  rmSync(folder, { recursive: true, force: true });
});

/** Starts the process, which writes an outcome at SIGUSR2. */
function startHolder(outcome: Pick<ReloadOutcome, "isDone" | "text">): Promise<number> {
  return startProgram(`process.on("SIGUSR2", () => ${writing(outcome)});`);
}

/** The statement that writes an outcome. @param more fields as text, such as `begunMs: Date.now()` */
function writing(outcome: Pick<ReloadOutcome, "isDone" | "text">, more = ""): string {
  const path = JSON.stringify(join(folder, reloadFile));
  const value = `{ ...${JSON.stringify(outcome)}, holder: process.pid, number: 1, ${more} }`;
  return `require("fs").writeFileSync(${path}, JSON.stringify(${value}))`;
}

async function startProgram(program: string): Promise<number> {
  const args = ["-e", `${program} setInterval(() => {}, 1000); console.log("ready")`];
  const child = spawn(process.execPath, args, { stdio: ["ignore", "pipe", "inherit"] });
  holder = child;
  await new Promise((resolve) => child.stdout.once("data", resolve));
  return child.pid ?? 0;
}

function lockBy(pid: number, file: string, note: object): void {
  writeFileSync(file, JSON.stringify({ ...identify(pid), ...note }));
}

const reload = (): Promise<RunResult> =>
  runCli(["reload", "--state", folder], { sleep: (ms) => wait(ms), nowMs: () => Date.now() });

test.each([
  [{ isDone: true, text: "process 2 serves the ports" }, 0, { out: "process 2 serves the ports\n" }],
  [{ isDone: false, text: "not replaced" }, 1, { err: expect.stringContaining("waggle: not replaced\n") }],
])("[L181] reload prints the outcome %j and ends with %i", async (outcome, code, output) => {
  lockBy(await startHolder(outcome), controlHolderLockFile(folder), holderNote);
  expect(await reload()).toMatchObject({ code, ...output });
});

test("[L181] without a process to reload it says which state folder it looked in", async () => {
  expect(await reload()).toMatchObject({ code: 1, err: expect.stringContaining(`state folder ${folder}`) });
});

test("[L181] an agent that is not replaced at a signal gets none, which would end it", async () => {
  const pid = await startHolder({ isDone: true, text: "replaced" });
  lockBy(pid, agentLockFile(folder), {});
  expect(await reload()).toMatchObject({
    code: 1,
    err: expect.stringContaining("no balancer, control plane or agent"),
  });
  lockBy(pid, agentLockFile(folder), holderNote);
  expect(await reload()).toMatchObject({ code: 0, out: "replaced\n" });
});

test("[U609] reload waits for the outcome of a replacement that began after its request", async () => {
  const early = writing({ isDone: true, text: "the one in progress" }, "begunMs: Date.now() - 60_000");
  const late = writing({ isDone: true, text: "the next one" }, "number: 2, begunMs: Date.now() + 1");
  const pid = await startProgram(
    `process.on("SIGUSR2", () => { ${early}; setTimeout(() => ${late}, 300); });`,
  );
  lockBy(pid, controlHolderLockFile(folder), holderNote);
  expect(await reload()).toMatchObject({ code: 0, out: "the next one\n" });
});
