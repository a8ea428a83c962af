// The output of a child process of the mesh, which goes to its log file.

import { writeSync } from "node:fs";

/**
 * Makes stdout and stderr of this process drop what cannot be written. Node's own streams fail for good after
 * one failed write, and an error that is not handled ends the process: a full disk would end the mesh.
 */
export function dropFailedWrites(): void {
  for (const [descriptor, stream] of [
    [1, process.stdout],
    [2, process.stderr],
  ] as const) {
    stream.write = (text, encodingOrDone?: BufferEncoding | WriteDone, done?: WriteDone): boolean => {
      const encoding = typeof encodingOrDone === "string" ? encodingOrDone : "utf8";
      try {
        if (typeof text === "string") writeSync(descriptor, text, null, encoding);
        else writeSync(descriptor, text);
      } catch {
        // The log is dropped until there is space again.
      }
      (typeof encodingOrDone === "function" ? encodingOrDone : done)?.();
      return true;
    };
  }
}

type WriteDone = (error?: Error | null) => void;
