// The files by which `waggle reload` finds the outer process of a balancer or a control plane, and learns what became
// of its request.

import { join } from "node:path";
import { z } from "zod";
import { agentLockFile } from "../agent/state-dir.ts";
import { readJsonFile } from "../os/files.ts";
import { isRunning, ProcessIdentity } from "../os/process-identity.ts";

export const reloadFile = "reload.json";

const ReloadOutcome = z.object({
  isDone: z.boolean(),
  text: z.string(),
  /** The process id of the outer process. */
  holder: z.number().int(),
  /** 1 for the first reload of that process. */
  number: z.number().int(),
  /** When it began, epoch milliseconds. Absent from an outer process of an earlier release. */
  begunMs: z.number().optional(),
});
export type ReloadOutcome = z.infer<typeof ReloadOutcome>;

/** What the lock of an outer process says besides its identity: it replaces its child at SIGUSR2. */
export const holderNote = { replacesAtSignal: true } as const;
const Holder = ProcessIdentity.extend({ replacesAtSignal: z.literal(true) });

/** The lock of the outer process of a control plane; the process below it has the mesh's. */
export function controlHolderLockFile(stateDir: string): string {
  return join(stateDir, "holder.lock");
}

/** The locks that a process may have on a state folder: of an agent or a balancer, and of a control plane. */
export function stateFolderLocks(stateDir: string): readonly string[] {
  return [agentLockFile(stateDir), controlHolderLockFile(stateDir)];
}

/** The process id of the outer process; null if none runs. */
export function holderOf(stateDir: string): number | null {
  const holders = stateFolderLocks(stateDir).map((lock) => readJsonFile(lock, Holder));
  return holders.find((holder) => holder !== null && isRunning(holder))?.pid ?? null;
}

/** The outcome of the last reload; null before the first. */
export function readOutcome(stateDir: string): ReloadOutcome | null {
  return readJsonFile(join(stateDir, reloadFile), ReloadOutcome);
}
