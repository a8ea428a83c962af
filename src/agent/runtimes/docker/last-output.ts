// The last lines that a container wrote, as the reason of its end.

import type { Container } from "dockerode";

const maxLines = 5;
const maxCharacters = 600;

/** Empty if the container wrote nothing, or if its log driver cannot be read. */
export async function lastOutput(container: Container, isTty: boolean): Promise<string> {
  try {
    const bytes = await container.logs({ stdout: true, stderr: true, tail: maxLines, follow: false });
    const text = isTty ? bytes.toString() : withoutFrames(bytes);
    return text.trim().slice(-maxCharacters);
  } catch {
    return "";
  }
}

/**
 * The text of the daemon's frames: one byte for the stream, three zeros, the length as 32 bits, then the text.
 *
 * @see https://docs.docker.com/reference/api/engine/version/v1.41/#tag/Container/operation/ContainerAttach
 */
export function withoutFrames(bytes: Buffer): string {
  const parts: Buffer[] = [];
  for (let at = 0; at + 8 <= bytes.length; ) {
    const end = at + 8 + bytes.readUInt32BE(at + 4);
    parts.push(bytes.subarray(at + 8, end));
    at = end;
  }
  return Buffer.concat(parts).toString();
}
