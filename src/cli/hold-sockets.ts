// Runs the command of this process in a child, and keeps its listening sockets here (`waggle edge`, `waggle control`).

import type { HolderOptions } from "../local/socket-holder.ts";
import type { Cli } from "./cli.ts";
import { CliError, refused } from "./errors.ts";
import { timedLog } from "./timed-log.ts";

/** @throws CliError if another process has the state folder, and with the exit code of a child that failed */
export async function holdCommand(cli: Cli, options: Omit<HolderOptions, "log">): Promise<void> {
  const { FolderInUse, holdSockets } = await import("../local/socket-holder.ts");
  try {
    const code = await holdSockets({ ...options, log: timedLog(cli) });
    if (code !== 0) throw new CliError(code, "");
  } catch (error) {
    if (error instanceof FolderInUse) throw refused(error.message, error.hint);
    // The folder cannot be made or written to.
    if (error instanceof Error && "syscall" in error)
      throw refused(error.message, "choose another --state DIR, or run it as the folder's owner");
    throw error;
  }
}
