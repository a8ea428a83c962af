// The profile of a listener: the entry header of its requests, and the form of its own error responses.

import { createHmac } from "node:crypto";
import { type EntryFacts, printEntryFacts } from "../proxy/entry-facts.ts";

/** The entry point that a listener belongs to. */
export type ListenerIdentity = {
  readonly role: EntryFacts["role"];
  readonly nodeId: string | null;
  /** The published port in the mesh; null for the edge's default port and the control API. */
  readonly published: number | null;
};

/** The control API's port. */
export const controlIdentity: ListenerIdentity = { role: "control", nodeId: null, published: null };

export type ListenerProfile = {
  /** The value of `x-waggle-entry` for requests of a client, by its address. */
  readonly entryHeader: (client: string) => string;
  /** The content type and body of a refusal. */
  readonly refusal: (status: string, reason: string) => { readonly type: string; readonly body: string };
};

/**
 * The profile of a listener. The control API refuses in the form of the Engine API.
 *
 * @param entryKey the secret of this mesh's start, by which the Worker verifies the header
 * @param scheme that clients use
 */
export function listenerProfile(
  { role, nodeId, published }: ListenerIdentity,
  entryKey: string,
  scheme: EntryFacts["scheme"] = "http",
): ListenerProfile {
  return {
    entryHeader: (client) => sealFacts({ role, node: nodeId, port: published, client, scheme }, entryKey),
    refusal: (status, reason) =>
      role === "control"
        ? { type: "application/json", body: JSON.stringify({ message: reason }) }
        : { type: "text/plain; charset=utf-8", body: `${status}: ${reason}\n` },
  };
}

/** The facts and their seal, which `EntrySeals` verifies. */
export function sealFacts(facts: EntryFacts, entryKey: string): string {
  const text = printEntryFacts(facts);
  return `${text} ${createHmac("sha256", entryKey).update(text).digest("base64url")}`;
}
