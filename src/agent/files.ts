// Files of a state folder: atomic writes, and JSON that is validated as it is read.

import { readFileSync, renameSync, writeFileSync } from "node:fs";
import type { z } from "zod";

/**
 * Writes a file by renaming a draft over it, so that a reader sees either the old or the new content.
 *
 * @param mode permissions; by default only the owner can read the file
 */
export function writeFileAtomically(path: string, text: string, mode = 0o600): void {
  const draft = `${path}.${process.pid}.new`;
  writeFileSync(draft, text, { mode });
  renameSync(draft, path);
}

/** The validated content of a JSON file; null if it is missing, unreadable or invalid. */
export function readJsonFile<T>(path: string, schema: z.ZodType<T>): T | null {
  try {
    return schema.parse(JSON.parse(readFileSync(path, "utf8")));
  } catch {
    return null;
  }
}
