// Many bytes that both ends can check: those that a task sends, and the digest of those that it gets.

import { createHash } from "node:crypto";

const chunkBytes = 65_536;
const chunksPerMib = 16;

export type BulkDigest = { readonly bytes: number; readonly sha256: string };

/** So many MiB, in chunks of which each differs from all others. */
export function* bulkBytes(mib: number): Generator<Buffer> {
  for (let number = 0; number < mib * chunksPerMib; number += 1) {
    const chunk = Buffer.alloc(chunkBytes, number % 251);
    chunk.writeUInt32BE(number);
    yield chunk;
  }
}

/** Reads bytes to their end. */
export async function readBulk(stream: AsyncIterable<Buffer>): Promise<BulkDigest> {
  const hash = createHash("sha256");
  let bytes = 0;
  for await (const chunk of stream) {
    hash.update(chunk);
    bytes += chunk.length;
  }
  return { bytes, sha256: hash.digest("hex") };
}
