// What a router and a node's tunnel object say to each other besides the headers of an attempt.

/** The response header of the tunnel object, and of the relay, for a request that it could not relay; see `TunnelOutcome`. */
export const tunnelHeader = "x-waggle-tunnel";

/**
 * Why a request got no response of the gateway:
 * - `absent`: the agent has no tunnel open; not delivered;
 * - `denied`: the mesh's relay did not take the attempt from this machine; not delivered;
 * - `full`: the tunnel has its maximum of open requests; not delivered;
 * - `lost`: the tunnel broke before the gateway may have had the request; not delivered;
 * - `broken`: the tunnel or the gateway failed after that; what became of the request is not known.
 */
export type TunnelOutcome = "absent" | "denied" | "full" | "lost" | "broken";

const tunnelOutcomes: ReadonlySet<string> = new Set<TunnelOutcome>([
  "absent",
  "denied",
  "full",
  "lost",
  "broken",
]);

/** The outcome in a response of the tunnel object; null for a response of the gateway. */
export function readTunnelOutcome(text: string | null): TunnelOutcome | null {
  return text !== null && tunnelOutcomes.has(text) ? (text as TunnelOutcome) : null;
}

/** True if the request was not delivered to a task, so that any request may go on to another. */
export function isUndeliveredByTunnel(outcome: TunnelOutcome): boolean {
  return outcome !== "broken";
}

/** The path at which an agent opens its tunnel, at the control API and at the object. */
export const tunnelPath = "/mesh/tunnel";
