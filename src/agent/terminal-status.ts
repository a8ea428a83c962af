// The final state of a task, in Docker's words.

import { constants } from "node:os";
import type { TaskReport } from "../protocol/agent.ts";
import type { ExitStatus } from "./runtimes/runtime.ts";

export type TerminalStatus = Pick<TaskReport, "state" | "message" | "err" | "exitCode">;

/** The status of a task that ended by itself. */
export function terminalStatusOf(exit: ExitStatus): TerminalStatus {
  const exitCode = exitCodeOf(exit);
  if (exitCode === 0) return { state: "complete", message: "finished", err: "", exitCode };
  return { state: "failed", message: "started", err: errorOf(exit, exitCode), exitCode };
}

/**
 * The exit code as in a shell: 128 plus the signal number for a process ended by a signal; null if unknown.
 */
export function exitCodeOf({ code, signal }: ExitStatus): number | null {
  return signal === null ? code : 128 + (constants.signals[signal] ?? 0);
}

function errorOf({ signal, detail, isPortTaken }: ExitStatus, exitCode: number | null): string {
  if (exitCode === null && detail !== undefined) return `task: ${detail}`;
  if (exitCode === null) return "task: exited (exit code unknown: an earlier agent started it)";
  const causes = [
    signal === null ? "" : `killed by ${signal}`,
    isPortTaken ? "another program holds its port" : "",
    detail ?? "",
  ].filter((cause) => cause !== "");
  return [`task: non-zero exit (${exitCode})`, ...causes].join(": ");
}
