// How the connections of a service in mode tcp are forwarded.

/** Versions of the PROXY protocol that a target may get (HAProxy `send-proxy`, `send-proxy-v2`). */
export type ProxyProtocol = "v1" | "v2";

/** Absent: mode http, or the data plane's default. */
export type TcpOptions = {
  /** The service's published ports carry bytes of any protocol over TCP. Absent: HTTP. */
  readonly mode?: "tcp";
  /** Targets get the client's address in a header of the PROXY protocol before its first byte. */
  readonly sendProxy?: ProxyProtocol;
  /** A connection without a byte in either direction ends after this long, milliseconds; 0: never. */
  readonly idleTimeoutMs?: number;
};

/** True for a service whose ports carry bytes and not HTTP requests. */
export function isTcpService({ options }: { readonly options?: TcpOptions }): boolean {
  return options?.mode === "tcp";
}
