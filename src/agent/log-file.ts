// Rotation of log files that other processes append to.

import { copyFileSync, rmSync, statSync, truncateSync } from "node:fs";

/** A longer log is moved to `<log>.1`, so that one log takes at most about twice this size. */
const maxLogBytes = 8 * 1024 * 1024;

/**
 * Moves a long log to `<file>.1` by copy and truncate. Its writers append, so they continue at its new start.
 * On a full disk the content is dropped: logs are the first thing to give up.
 */
export function rotateLog(file: string): void {
  if ((statSync(file, { throwIfNoEntry: false })?.size ?? 0) <= maxLogBytes) return;
  const older = `${file}.1`;
  try {
    copyFileSync(file, older);
  } catch {
    rmSync(older, { force: true });
  }
  truncateSync(file);
}
