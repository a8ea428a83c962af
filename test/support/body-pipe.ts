// A pipe for bodies in the test's process, where the runtime's own are missing.

import type { BodyPipe } from "../../src/proxy/plane.ts";

/** Copies each chunk: a chunk that was written belongs to the writer again. */
export function newBodyPipe(): BodyPipe {
  return new TransformStream<Uint8Array, Uint8Array>({
    transform: (chunk, pipe) => pipe.enqueue(chunk.slice()),
  });
}
