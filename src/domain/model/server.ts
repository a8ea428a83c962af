// A static server: an address that a service sends requests to, without an agent. HAProxy's `server` line.

import type { ServerHealth } from "./server-health.ts";

/**
 * HAProxy's admin state: whether a server, and likewise a node or a task, gets new requests.
 *
 * @see docs/decisions/0038-admin-state.md
 */
export const adminStates = ["ready", "drain", "maint"] as const;
export type AdminState = (typeof adminStates)[number];

/** The condition that a response must meet for a check to pass: HAProxy's `http-check expect`. */
export type Expect = {
  readonly kind: "status" | "rstatus" | "string" | "rstring";
  /** `200-299,304`, a regular expression, or a text in the body. */
  readonly pattern: string;
  /** True for `expect ! string`: the response must not match. */
  readonly not: boolean;
};

/** The request of an HTTP check, each part as it is sent, and the expected response. */
export type HttpCheck = {
  readonly method: string;
  readonly uri: string;
  readonly version: "HTTP/1.0" | "HTTP/1.1";
  readonly headers: readonly { readonly name: string; readonly value: string }[];
  /** Null: a status of 2xx or 3xx. */
  readonly expect: Expect | null;
  /** After a 404 the server gets no new clients: `NOLB`. */
  readonly disableOn404: boolean;
};

/** How a server is checked. Durations in milliseconds. */
export type CheckSpec = {
  /** Null: a TCP check, which passes if the server accepts a connection. */
  readonly http: HttpCheck | null;
  /** Null: the port of the server. */
  readonly port: number | null;
  /** True if checks use TLS. */
  readonly tls: boolean;
  /** From the start of one check to the next. */
  readonly interMs: number;
  /** In place of `interMs` while the state is changing. */
  readonly fastInterMs: number;
  /** In place of `interMs` while the server is down. */
  readonly downInterMs: number;
  /** The longest duration of one check, from connecting to the last byte read. */
  readonly timeoutMs: number;
  readonly rise: number;
  readonly fall: number;
};

/** A server as the operator configures it. */
export type ServerSpec = {
  readonly name: string;
  /** An IPv4 or IPv6 address, without brackets, or a DNS name. */
  readonly host: string;
  readonly port: number;
  /** True if requests use TLS. */
  readonly tls: boolean;
  /** 0 to 256; 0: no new clients. */
  readonly weight: number;
  /** Used only while no server without this flag is available. */
  readonly backup: boolean;
  /** Maximum number of concurrent requests; 0: no limit. */
  readonly maxConn: number;
  /** The value of the service's sticky cookie that names it; null: the server's name. */
  readonly cookie: string | null;
  /** Null: not checked; counts as up. */
  readonly check: CheckSpec | null;
};

/**
 * A server as the registry stores it.
 *
 * @see docs/decisions/0037-static-servers.md
 */
export type StaticServer = {
  readonly id: string;
  readonly serviceId: string;
  readonly spec: ServerSpec;
  readonly admin: AdminState;
  /** Null: not checked. */
  readonly health: ServerHealth | null;
  /** Rises when the checks restart; results of an earlier epoch are ignored. */
  readonly epoch: number;
  readonly version: number;
  readonly createdAtMs: number;
  readonly updatedAtMs: number;
};

/** HAProxy's defaults of a server line. */
export const serverDefaults = {
  tls: false,
  weight: 1,
  backup: false,
  maxConn: 0,
  cookie: null,
} as const;

const defaultInterMs = 2_000;

/** A check with some settings left out. */
export type PartialCheckSpec = { readonly [K in keyof CheckSpec]?: CheckSpec[K] | undefined };

/** Fills in HAProxy's defaults: fastinter, downinter and the timeout follow inter, TLS the server. */
export function withCheckDefaults(check: PartialCheckSpec, server: Pick<ServerSpec, "tls">): CheckSpec {
  const { interMs = defaultInterMs } = check;
  return {
    http: check.http ?? null,
    port: check.port ?? null,
    tls: check.tls ?? server.tls,
    interMs,
    fastInterMs: check.fastInterMs ?? interMs,
    downInterMs: check.downInterMs ?? interMs,
    timeoutMs: check.timeoutMs ?? interMs,
    rise: check.rise ?? 2,
    fall: check.fall ?? 3,
  };
}

/** The request of `option httpchk` without arguments. */
export const defaultHttpCheck: HttpCheck = {
  method: "OPTIONS",
  uri: "/",
  version: "HTTP/1.0",
  headers: [],
  expect: null,
  disableOn404: false,
};

/** The origin of a server's requests: `http://10.0.0.1:8080`. */
export function serverOrigin({ host, port, tls }: Pick<ServerSpec, "host" | "port" | "tls">): string {
  return `${tls ? "https" : "http"}://${hostPort(host, port)}`;
}

/** `10.0.0.1:80`, `[::1]:80`. */
export function hostPort(host: string, port: number): string {
  return `${host.includes(":") ? `[${host}]` : host}:${port}`;
}

/** The name by which operators refer to a server: `my-web/node1`. */
export function serverName(service: string, server: Pick<StaticServer, "spec">): string {
  return `${service}/${server.spec.name}`;
}
