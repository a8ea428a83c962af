// Why a file or standard output could not be written.

import { dirname } from "node:path";

/** The reason in words. @param path the file; absent: standard output */
export function writeFailure({ code = "", message }: NodeJS.ErrnoException, path = ""): string {
  const reasons: Readonly<Record<string, string>> = {
    ENOENT: `there is no folder ${dirname(path)}`,
    ENOTDIR: `${dirname(path)} is not a folder`,
    EACCES: `this user may not write to ${dirname(path)}`,
    EROFS: "the file system is read-only",
    ENOSPC: "the disk is full",
    EDQUOT: "the quota of this user is used up",
    EPIPE: "the program that reads it has ended",
  };
  return reasons[code] ?? message;
}
