// The files by which `waggle reload` finds the outer process of a balancer or a control plane, and learns what became
// of its request.

import { join } from "node:path";
import { z } from "zod";
import { readJsonFile } from "../os/files.ts";
import { lockHolder } from "../os/lock-file.ts";

export const reloadFile = "reload.json";

const ReloadOutcome = z.object({
  isDone: z.boolean(),
  text: z.string(),
  /** The process id of the outer process. */
  holder: z.number().int(),
  /** 1 for the first reload of that process. */
  number: z.number().int(),
});
export type ReloadOutcome = z.infer<typeof ReloadOutcome>;

/** The lock of the outer process. */
export function holderLockFile(stateDir: string): string {
  return join(stateDir, "holder.lock");
}

/** The process id of the outer process; null if none runs. */
export function holderOf(stateDir: string): number | null {
  return lockHolder(holderLockFile(stateDir))?.pid ?? null;
}

/** The outcome of the last reload; null before the first. */
export function readOutcome(stateDir: string): ReloadOutcome | null {
  return readJsonFile(join(stateDir, reloadFile), ReloadOutcome);
}
