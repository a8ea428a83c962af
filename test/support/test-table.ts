// What the registry of a test sends to a router.

import type { RegistryReply } from "../../src/proxy/link/registry-link.ts";
import type { SentTable } from "../../src/proxy/routing/table-cache.ts";

/** The reply to a router whose counters are counted. */
export function registryReply(sent: SentTable): RegistryReply {
  return { ...sent, counted: true, isWatched: false };
}
