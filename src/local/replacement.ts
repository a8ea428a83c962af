// The replacement of a process that serves ports by a new one: what decides whether the new one takes over, and what
// is said of the outcome.

import { setTimeout as delay } from "node:timers/promises";
import { waitForAbort } from "../agent/wait.ts";

/** How long a process may take until it serves. The first start of a release compiles its programs. */
export const servingTimeoutMs = 60_000;

/**
 * Waits until a new process is ready to take over.
 *
 * @param failures each resolves with what it did instead
 * @returns what it did instead; null if it is ready
 */
export function problemUntilReady(
  ready: Promise<void>,
  failures: readonly Promise<string>[],
  stopping: AbortSignal,
): Promise<string | null> {
  return Promise.race([
    ready.then(() => null),
    ...failures,
    // Keeps no process from ending whose other work is done.
    delay(servingTimeoutMs, `did not serve the ports within ${servingTimeoutMs / 1_000} s`, { ref: false }),
    waitForAbort(stopping).then(() => "was stopped"),
  ]);
}

/** @param problem as of `problemUntilReady` */
export function notReplaced(problem: string, lastPid: number | undefined): Error {
  return new Error(`not replaced: the new process ${problem}; process ${lastPid} goes on`);
}

/** The outcome if both processes serve for a while. */
export function replacedBeside(nextPid: number | undefined, lastPid: number | undefined): string {
  return `process ${nextPid} serves the ports; process ${lastPid} finishes what it has open`;
}
