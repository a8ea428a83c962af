// What an agent says of its machine.

import { readFileSync } from "node:fs";
import { arch, availableParallelism, platform, totalmem } from "node:os";
import type { NodeDescription } from "../protocol/agent.ts";

/** Processor names as `docker node inspect` has them (`uname -m`) where Node's differ. */
const architectures: Readonly<Record<string, string>> = { x64: "x86_64", arm64: "aarch64", ia32: "i386" };

/** This machine as a node: CPU in billionths of a processor, memory in bytes, both as far as this process may use them. */
export function describeNode(
  named: Pick<NodeDescription, "hostname" | "address" | "runtime">,
): NodeDescription {
  return {
    ...named,
    platform: { os: platform(), arch: architectures[arch()] ?? arch() },
    resources: { nanoCpus: availableParallelism() * 1e9, memoryBytes: memoryBytes() },
    engineVersion: agentVersion(),
  };
}

/** A container's limit when there is one below the machine's memory. 0 and absurdly large both mean none. */
function memoryBytes(): number {
  const limit = process.constrainedMemory();
  return limit > 0 ? Math.min(limit, totalmem()) : totalmem();
}

function agentVersion(): string {
  const text = readFileSync(new URL("../../package.json", import.meta.url), "utf8");
  return String((JSON.parse(text) as { version?: unknown }).version ?? "unknown");
}
