// How the end of a task is told, in Docker's words.

import { constants } from "node:os";
import type { TaskReport } from "../protocol/agent.ts";
import type { ExitStatus } from "./runtimes/runtime.ts";

type TerminalStatus = Pick<TaskReport, "state" | "message" | "err" | "exitCode">;

/** The end of a task that nobody asked to stop. */
export function terminalStatusOf(exit: ExitStatus): TerminalStatus {
  const exitCode = exitCodeOf(exit);
  if (exitCode === 0) return { state: "complete", message: "finished", err: "", exitCode };
  return { state: "failed", message: "started", err: errorOf(exit, exitCode), exitCode };
}

/** As a shell counts: 128 and the signal's number for a process that a signal ended; null when nobody was told. */
export function exitCodeOf({ code, signal }: ExitStatus): number | null {
  return signal === null ? code : 128 + (constants.signals[signal] ?? 0);
}

function errorOf({ signal }: ExitStatus, exitCode: number | null): string {
  if (exitCode === null) return "task: exited (its exit code went to the agent that started it)";
  const how = signal === null ? "" : `: killed by ${signal}`;
  return `task: non-zero exit (${exitCode})${how}`;
}
