// The profile of a listener: the entry header of its requests, and the form of its own error responses.

/** The entry point that a listener belongs to. */
export type ListenerIdentity = {
  readonly role: "edge" | "ingress";
  readonly nodeId: string | null;
  /** The published port in the mesh; null for the edge's default port. */
  readonly published: number | null;
};

export type ListenerProfile = {
  /**
   * The value of `x-waggle-entry` for requests of this client; null to send none. The listener always drops
   * the header that a client sends.
   */
  readonly entryHeader: (client: string) => string | null;
  /** The content type and body of a refusal. */
  readonly refusal: (status: string, reason: string) => { readonly type: string; readonly body: string };
};

/**
 * The profile of a published port.
 *
 * @param key proves to the runtime that the header comes from a listener of this mesh
 */
export function publishedPortProfile(
  { role, nodeId, published }: ListenerIdentity,
  key: string,
): ListenerProfile {
  return {
    entryHeader: (client) => `${key} ${role} ${nodeId ?? "-"} ${published ?? "-"} ${client} http`,
    refusal: (status, reason) => ({ type: "text/plain; charset=utf-8", body: `${status}: ${reason}\n` }),
  };
}

/** The profile of the control API's port, which refuses in the form of the Engine API. */
export const controlProfile: ListenerProfile = {
  entryHeader: () => null,
  refusal: (_status, reason) => ({ type: "application/json", body: JSON.stringify({ message: reason }) }),
};
