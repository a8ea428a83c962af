// A child process of the mesh. It has its own process group, so that Ctrl-C reaches only `waggle up`, which
// then stops its children in order. It ends when the IPC channel to `waggle up` closes, however that happens.

import { type ChildProcess, fork } from "node:child_process";
import { closeSync, fstatSync, openSync, readFileSync } from "node:fs";
import Module from "node:module";
import { dirname } from "node:path";
import { childModule } from "../package/program-files.ts";
import { dropFailedWrites } from "./child-log.ts";
import { isSocketMessage, type KeptSockets } from "./kept-sockets.ts";

/** A message of a child. */
export type ChildMessage<T> =
  | { readonly ready: T }
  /** The reason why it did not start. */
  | { readonly failed: string }
  | ChildNotice;

type ChildNotice =
  /** For the operator. */
  | { readonly event: string }
  /** The id of a process that the child has started and that must not outlive it. */
  | { readonly started: number }
  /** JSON data for the parent, each time it changes. */
  | { readonly report: unknown };

type ChildObserver = {
  readonly onEvent: (event: string) => void;
  readonly onProcess: (pid: number) => void;
  /** Absent: the child sends no reports. */
  readonly onReport?: (report: unknown) => void;
};

/** The module and the first message of a child. */
export type ChildProgram = {
  readonly module: Parameters<typeof childModule>[0];
  /** Identifies the child in its environment: `WAGGLE_CHILD=<state folder>:<name>`. */
  readonly name: string;
  /** The first message to the child; JSON data. */
  readonly input: object;
  /** Receives stdout and stderr. */
  readonly logFile: string;
  /** The listening sockets that it serves, which outlive it. Absent: it has none. */
  readonly sockets?: KeptSockets;
};

/** How a child stops that serves clients. */
export type ChildStop = {
  /** For open requests and connections, milliseconds. */
  readonly graceMs: number;
  /** Another process serves its sockets, and its clients lose nothing. */
  readonly isReplaced: boolean;
};

/** A message to a running child. */
export type StopMessage = { readonly stop: ChildStop };

export type MeshChild<T> = {
  readonly process: ChildProcess;
  /** Resolves once the child is ready; rejects with the reason if it fails to start. */
  readonly ready: Promise<T>;
  /** Resolves with the exit code, the signal's name, or the reason why the system did not start it. */
  readonly exited: Promise<number | string>;
};

/** Starts a child. The observer is called while the child runs. */
export function startChild<T>(
  { module, name, input, logFile, sockets }: ChildProgram,
  { onEvent, onProcess, onReport }: ChildObserver,
): MeshChild<T> {
  const log = openLog(logFile);
  const logStart = log === null ? 0 : fstatSync(log).size;
  const child = fork(childModule(module), [], {
    detached: true,
    stdio: ["ignore", log ?? "ignore", log ?? "ignore", "ipc"],
    env: { ...process.env, ...compileCacheVariable(), WAGGLE_CHILD: name },
  });
  if (log !== null) closeSync(log);
  const exited = new Promise<number | string>((resolve) => {
    child.once("exit", (code, signal) => resolve(code ?? signal ?? "unknown"));
    // The system has no process for it.
    child.on("error", (error) => child.pid === undefined && resolve(error.message));
  });
  // Before its input, which starts it.
  if (child.connected) sockets?.attach(child);
  // Without a free file descriptor there is no channel, and the error follows.
  if (child.connected) child.send(input, () => {});
  const ready = new Promise<T>((resolve, reject) => {
    child.on("message", (message: ChildMessage<T>) => {
      if (isSocketMessage(message)) return;
      if ("ready" in message) resolve(message.ready);
      else if ("failed" in message) reject(new Error(message.failed));
      else if ("event" in message) onEvent(message.event);
      else if ("started" in message) onProcess(message.started);
      else onReport?.(message.report);
    });
    child.once("error", reject);
    exited.then((exit) => reject(new Error(startFailure(exit, lastLine(logFile, logStart)))));
  });
  // The rejection is handled where the child is supervised, possibly later.
  ready.catch(() => {});
  return { process: child, ready, exited };
}

/** Makes the child use the cache of compiled sources of this process, if it has one (src/cli/main.ts). */
function compileCacheVariable(): { readonly NODE_COMPILE_CACHE?: string } {
  // Since Node 22.1.
  const folder = Module.getCompileCacheDir?.();
  // Node adds a folder for its version and the user.
  return folder === undefined ? {} : { NODE_COMPILE_CACHE: dirname(folder) };
}

/** The first thing a child does. Tasks must not inherit the cache of compiled sources, which is the mesh's own. */
export function prepareChild(): void {
  delete process.env.NODE_COMPILE_CACHE;
  dropFailedWrites();
}

/** The log open for appending; null if that fails, because a child runs without a log rather than not. */
function openLog(logFile: string): number | null {
  try {
    return openSync(logFile, "a", 0o600);
  } catch {
    return null;
  }
}

function startFailure(exit: number | string, logLine: string): string {
  return logLine === "" ? `exited with ${exit}` : `${logLine} (exited with ${exit})`;
}

/** The last line of a log after `start` bytes; empty if it has no such line or cannot be read. */
function lastLine(logFile: string, start: number): string {
  try {
    const line = readFileSync(logFile).subarray(start).toString().trimEnd().split("\n").at(-1) ?? "";
    // Without an agent's timestamp, so that the same failure has the same text.
    return line.replace(/^\d{4}-\S+Z /, "");
  } catch {
    return "";
  }
}

/** What a child's start gives: the value it reports, and how it stops. */
type StartedChild<Ready> = {
  readonly ready: Ready;
  /** @param how undefined: its parent says nothing about that, or has ended */
  readonly stop: (how?: ChildStop) => Promise<void>;
};

/**
 * Runs the child's side: receives the input, starts, and reports it. Calls `stop` on SIGTERM, on a StopMessage or
 * when the parent has ended, and then exits.
 */
export function runChild<Input, Ready>(
  start: (input: Input, notify: (notice: ChildNotice) => Promise<void>) => Promise<StartedChild<Ready>>,
): void {
  prepareChild();
  const begin = async (input: Input): Promise<void> => {
    if (isSocketMessage(input)) return;
    process.off("message", begin);
    // Until the start is complete there is nothing to stop in order.
    const abandon = (): never => process.exit(1);
    process.once("disconnect", abandon);
    try {
      const { ready, stop } = await start(input, sendToParent);
      const stopOnce = runOnce(async (how) => {
        // It may take minutes, and is over when the parent is.
        if (how?.isReplaced === true) process.once("disconnect", abandon);
        await stop(how);
        process.exit(0);
      });
      process.off("disconnect", abandon);
      process.once("disconnect", () => stopOnce());
      process.on("SIGTERM", () => stopOnce());
      process.on("message", (message: Partial<StopMessage>) => {
        if (message.stop !== undefined) stopOnce(message.stop);
      });
      if (process.connected) await sendToParent({ ready });
      else stopOnce();
    } catch (error) {
      const failed = error instanceof Error ? error.message : String(error);
      await sendToParent({ failed });
      process.exit(1);
    }
  };
  process.on("message", begin);
}

/** Resolves once the message is sent, or could not be because the parent has ended. */
export function sendToParent(message: ChildMessage<unknown>): Promise<void> {
  return new Promise((resolve) => {
    if (process.connected) process.send?.(message, undefined, undefined, () => resolve());
    else resolve();
  });
}

function runOnce(work: (how?: ChildStop) => Promise<void>): (how?: ChildStop) => void {
  let hasRun = false;
  return (how) => {
    if (hasRun) return;
    hasRun = true;
    void work(how);
  };
}
