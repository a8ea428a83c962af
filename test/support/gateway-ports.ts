// The ports of the servers that gateway-for-workers.ts starts, as tests in workerd get them.

/** Ports at 127.0.0.1. */
export type GatewayPorts = {
  readonly gateway: number;
  /** PUT sets the gateway's keys, `SentNodeKey[]`. */
  readonly keys: number;
  /** An HTTP server that is no gateway. */
  readonly other: number;
  /** Accepts connections, and never answers. */
  readonly silent: number;
};

declare module "vitest" {
  interface ProvidedContext {
    gatewayPorts: GatewayPorts;
  }
}
