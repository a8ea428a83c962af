// The entry point of a request: determined by the Worker in front of the data plane, never by a
// header that a client can set.

export type EntryPoint = {
  /** `edge`: the external load balancer; `ingress`: the entry point of one node. */
  readonly role: "edge" | "ingress";
  /** Id or name of the node whose entry point it is; null at the edge. */
  readonly node: string | null;
  /** The published port it came in on; null if the port says nothing and the host name decides. */
  readonly port: number | null;
  /** The client's address, without port: `203.0.113.7`, `2001:db8::1`. */
  readonly client: string;
  readonly scheme: "http" | "https";
  /** Clients reach the runtime itself, which joins several Cookie lines with ", ". */
  readonly joinsCookieLines?: true;
  /**
   * True if the request has a token of the mesh and may get debug headers. Called only for debug requests.
   */
  readonly mayDebug: () => boolean | Promise<boolean>;
};
