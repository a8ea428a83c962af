// What a listener says of the requests that come in at it, and how it words what it refuses itself.

/** Where requests of a published port come in. */
export type ListenerIdentity = {
  readonly role: "edge" | "ingress";
  readonly nodeId: string | null;
  /** The published port as the mesh knows it; null at the default entry. */
  readonly published: number | null;
};

export type ListenerProfile = {
  /** The value of `x-waggle-entry` for requests of this client; null: they get none. A client's own stops here. */
  readonly entryHeader: (client: string) => string | null;
  /** The answer to what is refused here. */
  readonly refusal: (status: string, reason: string) => { readonly type: string; readonly body: string };
};

/** A published port. @param key what tells the runtime that a listener of this mesh speaks */
export function publishedPortProfile(
  { role, nodeId, published }: ListenerIdentity,
  key: string,
): ListenerProfile {
  return {
    entryHeader: (client) => `${key} ${role} ${nodeId ?? "-"} ${published ?? "-"} ${client} http`,
    refusal: (status, reason) => ({ type: "text/plain; charset=utf-8", body: `${status}: ${reason}\n` }),
  };
}

/** The control API's port, which answers as the Engine API does. */
export const controlProfile: ListenerProfile = {
  entryHeader: () => null,
  refusal: (_status, reason) => ({ type: "application/json", body: JSON.stringify({ message: reason }) }),
};
