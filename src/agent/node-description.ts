// The description of this machine that an agent sends to the registry.

import { arch, availableParallelism, platform, totalmem } from "node:os";
import { programVersion } from "../package/program-files.ts";
import type { NodeDescription } from "../protocol/agent.ts";

/** Processor names of `docker node inspect` (`uname -m`), where Node.js has others. */
const architectures: Readonly<Record<string, string>> = { x64: "x86_64", arm64: "aarch64", ia32: "i386" };

/**
 * Describes this machine: the CPU (billionths of a processor) and memory (bytes) that this process may use.
 */
export function describeNode(
  configured: Pick<NodeDescription, "kind" | "ingress" | "hostname" | "address" | "gateway" | "runtime">,
): NodeDescription {
  return {
    ...configured,
    platform: nodePlatform(),
    resources: { nanoCpus: availableParallelism() * 1e9, memoryBytes: memoryBytes() },
    engineVersion: programVersion(),
  };
}

/** Operating system and processor, as `docker node inspect` names them. */
export function nodePlatform(): NodeDescription["platform"] {
  return { os: platform(), arch: architectures[arch()] ?? arch() };
}

/** The container's memory limit, or the machine's memory. No limit is reported as 0 or as a huge number. */
function memoryBytes(): number {
  const limit = process.constrainedMemory();
  return limit > 0 ? Math.min(limit, totalmem()) : totalmem();
}
