// The outer process of a balancer, with a child that is killed.

import { type ChildProcess, spawn } from "node:child_process";
import { existsSync, mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, expect, test } from "vitest";
import { acquireStateDir, agentLockFile } from "../../../src/agent/state-dir.ts";
import { controlHolderLockFile, readOutcome } from "../../../src/local/reload-file.ts";
import { holdSockets } from "../../../src/local/socket-holder.ts";
import { until } from "../../support/until.ts";

const folder = mkdtempSync(join(tmpdir(), "waggle-holder-"));
const holders: ChildProcess[] = [];
afterAll(() => {
  for (const holder of holders) holder.kill("SIGKILL");
  rmSync(folder, { recursive: true });
});

const program = new URL("../../support/held-program.ts", import.meta.url).pathname;

function hold(name: string, next: "beside" | "after") {
  const args = [program, join(folder, name), next];
  const holder = spawn(process.execPath, args, { stdio: ["ignore", "pipe", "inherit"] });
  holders.push(holder);
  const exited = new Promise((resolve) => holder.once("exit", resolve));
  let output = "";
  holder.stdout.on("data", (chunk: Buffer) => {
    output += chunk;
  });
  const children = (): number[] => [...output.matchAll(/^child (\d+)$/gm)].map(([, pid]) => Number(pid));
  return { holder, exited, children, output: () => output };
}

/** Holds sockets in this process, if no other one has the folder. */
const holdBeside = (stateDir: string, lockFile: string): Promise<number> =>
  holdSockets({ stateDir, lockFile, next: "beside", drainMs: 0, stopMs: 0, log: () => undefined });

test("[U499] a stop while a killed process waits for its restart starts none, and exits with 0", async () => {
  const { holder, exited, children, output } = hold("killed", "after");
  const kills = (): number => output().split("was ended by SIGKILL").length - 1;
  // Each restart waits longer, so that the stop comes before the last one.
  for (let count = 1; count <= 4; count += 1) {
    await until(`child ${count}`, () => children().length === count);
    process.kill(children().at(-1) ?? Number.NaN, "SIGKILL");
    await until(`kill ${count}`, () => kills() === count);
  }
  holder.kill("SIGTERM");
  expect(await exited).toBe(0);
  expect(children()).toHaveLength(4);
});

test.each([
  ["U505", "beside"],
  ["U508", "after"],
] as const)(
  "[%s] a process that refuses to serve %s the last one replaces none, and says why",
  async (_, next) => {
    const name = `refused-${next}`;
    const { holder, children } = hold(name, next);
    await until("the first child", () => children().length === 1);
    holder.kill("SIGUSR2");
    await until("an outcome", () => readOutcome(join(folder, name)) !== null);
    const [first = 0, second = 0] = children();
    expect(readOutcome(join(folder, name))).toMatchObject({
      isDone: false,
      text: `not replaced: the new process cannot serve 0.0.0.0:443: no certificate; process ${first} goes on`,
    });
    expect(() => process.kill(second, 0)).toThrow("ESRCH");
    process.kill(first, 0);
  },
);

test("[U552] a second process says which one has the state folder, and how to replace it", async () => {
  const { holder, children } = hold("second", "beside");
  await until("the first child", () => children().length === 1);
  const stateDir = join(folder, "second");
  const lockFile = controlHolderLockFile(stateDir);
  const second = holdBeside(stateDir, lockFile);
  await expect(second).rejects.toMatchObject({
    message: `the state folder ${stateDir} is in use by process ${holder.pid}`,
    hint: `replace it with \`waggle reload --state ${stateDir}\`, stop it, or choose another --state DIR`,
  });
});

test("[U552] a control plane does not share the folder of an agent or a balancer", async () => {
  const stateDir = join(folder, "both");
  const release = acquireStateDir(stateDir);
  const lockFile = controlHolderLockFile(stateDir);
  const log = (): void => undefined;
  const second = holdSockets({ stateDir, lockFile, next: "after", drainMs: 0, stopMs: 0, log });
  await expect(second).rejects.toMatchObject({
    message: `the state folder ${stateDir} is in use by process ${process.pid}`,
    hint: "stop it, or choose another --state DIR",
  });
  // Its own lock is gone again.
  expect(existsSync(lockFile)).toBe(false);
  release();
});

test("[U552] a folder of an agent without such a process has no replacement", async () => {
  const stateDir = join(folder, "agent");
  const release = acquireStateDir(stateDir);
  const lockFile = agentLockFile(stateDir);
  const second = holdBeside(stateDir, lockFile);
  await expect(second).rejects.toMatchObject({ hint: "stop it, or choose another --state DIR" });
  release();
});
