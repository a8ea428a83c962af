// Stops a running mesh of this machine from another process.

import { join } from "node:path";
import { wait } from "../agent/wait.ts";
import { createClient } from "../cli/client.ts";
import { meshStatus } from "../cli/shapes.ts";
import { isRunning } from "../os/process-identity.ts";
import { readMeshFile, runningMesh } from "./state-folder.ts";

/** What ran in a mesh before it was stopped; the lists are empty if it did not respond. */
type StoppedMesh = {
  readonly pid: number;
  readonly nodes: readonly string[];
  readonly services: readonly string[];
  /** Number of running tasks. */
  readonly tasks: number;
};

type StopResult =
  | { readonly kind: "stopped"; readonly stopped: StoppedMesh }
  | { readonly kind: "not running" }
  | { readonly kind: "not permitted"; readonly pid: number }
  | { readonly kind: "still stopping"; readonly pid: number };

const stopPollMs = 50;

/** A mesh that does not respond is stopped all the same, milliseconds. */
const statusTimeoutMs = 2_000;

/** Stops the mesh of a state folder as Ctrl-C does, and waits until its process has ended. */
export async function stopMesh(stateDir: string, timeoutMs: number): Promise<StopResult> {
  const holder = runningMesh(stateDir);
  if (holder === null) return { kind: "not running" };
  const { pid } = holder;
  const stopped = { pid, ...(await readRunning(stateDir)) };
  try {
    process.kill(pid, "SIGTERM");
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException;
    if (code === "EPERM") return { kind: "not permitted", pid };
    if (code !== "ESRCH") throw error;
  }
  const deadlineMs = Date.now() + timeoutMs;
  while (isRunning(holder)) {
    if (Date.now() >= deadlineMs) return { kind: "still stopping", pid };
    await wait(stopPollMs);
  }
  return { kind: "stopped", stopped };
}

async function readRunning(stateDir: string): Promise<Omit<StoppedMesh, "pid">> {
  const mesh = readMeshFile(stateDir);
  const empty = { nodes: [], services: [], tasks: 0 };
  if (mesh === null) return empty;
  const target = { url: mesh.control, token: mesh.token, source: join(stateDir, "mesh.json") };
  try {
    const status = await createClient(target, statusTimeoutMs).getNative("/status", meshStatus);
    return {
      nodes: status.nodes.map(({ name }) => name),
      services: status.services.map(({ name }) => name),
      tasks: status.services.reduce((sum, { running }) => sum + running, 0),
    };
  } catch {
    return empty;
  }
}
