import { spawn } from "node:child_process";
import { once } from "node:events";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, expect, test } from "vitest";
import { awaitEarlierChildren } from "../../../src/local/orphans.ts";
import { identify, isRunning, type ProcessIdentity } from "../../../src/os/process-identity.ts";

const isLinux = process.platform === "linux";

let stateDir: string;

beforeEach(() => {
  stateDir = mkdtempSync(join(tmpdir(), "waggle-orphans-"));
});
afterEach(() => rmSync(stateDir, { recursive: true }));

/** A process whose parent has ended, as a workerd whose parent was killed. */
async function startOrphan(environment: NodeJS.ProcessEnv): Promise<ProcessIdentity> {
  const parent = spawn("sh", ["-c", "sleep 600 > /dev/null & echo $!"], {
    detached: true,
    env: { ...process.env, ...environment },
    stdio: ["ignore", "pipe", "inherit"],
  });
  // Together: the parent may exit before its output is read.
  const [[line]] = await Promise.all([once(parent.stdout, "data"), once(parent, "exit")]);
  const identity = identify(Number(line));
  if (identity === null) throw new Error("the orphan does not run");
  return identity;
}

test("[U103] a saved process whose parent was killed is ended before the next start", async () => {
  const orphan = await startOrphan({});
  writeFileSync(join(stateDir, "children.json"), JSON.stringify([{ ...orphan, parent: 1 }]));
  await awaitEarlierChildren(stateDir);
  expect(isRunning(orphan)).toBe(false);
});

test("[U103] a saved id that another process has now is left alone", async () => {
  const other = await startOrphan({});
  writeFileSync(join(stateDir, "children.json"), JSON.stringify([{ ...other, started: "1", parent: 1 }]));
  await awaitEarlierChildren(stateDir);
  expect(isRunning(other)).toBe(true);
  process.kill(other.pid, "SIGKILL");
});

test.skipIf(!isLinux)(
  `[U103] a process that was not saved is found by its environment${isLinux ? "" : " (skipped: no /proc)"}`,
  async () => {
    const [own, other] = await Promise.all([
      startOrphan({ WAGGLE_CHILD: `${stateDir}:runtime` }),
      startOrphan({ WAGGLE_CHILD: `${stateDir}-other:runtime` }),
    ]);
    await awaitEarlierChildren(stateDir);
    expect([own, other].map(isRunning)).toEqual([false, true]);
    process.kill(other.pid, "SIGKILL");
  },
);
