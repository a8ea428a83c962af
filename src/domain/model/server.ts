// A static server: an address that a service sends requests to, with no agent behind it. HAProxy's `server` line.

import type { ServerHealth } from "./server-health.ts";

/** What the operator wants of a server, a node or a task as far as new requests go; HAProxy's words. */
export const adminStates = ["ready", "drain", "maint"] as const;
export type AdminState = (typeof adminStates)[number];

/** What has to be in an HTTP answer for it to pass. Absent: a status of 2xx or 3xx. */
export type Expect = {
  readonly kind: "status" | "rstatus" | "string" | "rstring";
  /** `200-299,304`, a regular expression, or text in the body. */
  readonly pattern: string;
  /** `expect ! string`: must not match. */
  readonly not: boolean;
};

/** The request of an HTTP check; each part as it is sent. */
export type HttpCheck = {
  readonly method: string;
  readonly uri: string;
  readonly version: "HTTP/1.0" | "HTTP/1.1";
  readonly headers: readonly { readonly name: string; readonly value: string }[];
  readonly expect: Expect | null;
  /** A 404 means that no new requests are wanted: `NOLB`. */
  readonly disableOn404: boolean;
};

/** How a server is checked. Times in milliseconds. */
export type CheckSpec = {
  /** Null: whether it accepts a connection. */
  readonly http: HttpCheck | null;
  /** Null: the server's own. */
  readonly port: number | null;
  /** Over TLS; the server's own word where it is not said. */
  readonly tls: boolean;
  /** From one check to the next; `fastInterMs` while the state is changing, `downInterMs` while it is down. */
  readonly interMs: number;
  readonly fastInterMs: number;
  readonly downInterMs: number;
  /** How long one check may take, from the connection to the last byte looked at. */
  readonly timeoutMs: number;
  readonly rise: number;
  readonly fall: number;
};

/** The operator's words for one server. */
export type ServerSpec = {
  readonly name: string;
  /** An IPv4 or IPv6 address, without brackets, or a DNS name. */
  readonly host: string;
  readonly port: number;
  /** Requests go over TLS. */
  readonly tls: boolean;
  /** 0 to 256; 0: no new requests. */
  readonly weight: number;
  /** Used only while no other server of the service can be. */
  readonly backup: boolean;
  /** Requests at a time; 0: no limit. */
  readonly maxConn: number;
  /** Its value of the service's sticky cookie; null: its name. */
  readonly cookie: string | null;
  /** Null: it is not checked and counts as up. */
  readonly check: CheckSpec | null;
};

/** A server of the mesh. */
export type StaticServer = {
  readonly id: string;
  readonly serviceId: string;
  readonly spec: ServerSpec;
  readonly admin: AdminState;
  /** Null: not checked. */
  readonly health: ServerHealth | null;
  /** Raised when its checks begin anew; what was seen before then counts no more. */
  readonly epoch: number;
  readonly version: number;
  readonly createdAtMs: number;
  readonly updatedAtMs: number;
};

/** HAProxy's defaults. */
export const serverDefaults = {
  tls: false,
  weight: 1,
  backup: false,
  maxConn: 0,
  cookie: null,
} as const;

const defaultInterMs = 2_000;

/** What may be said of a check; what is not takes HAProxy's defaults. */
export type PartialCheckSpec = { readonly [K in keyof CheckSpec]?: CheckSpec[K] | undefined };

/** A whole check of what was said of it: fastinter, downinter and the time-out follow inter. */
export function withCheckDefaults(words: PartialCheckSpec, server: Pick<ServerSpec, "tls">): CheckSpec {
  const { interMs = defaultInterMs } = words;
  return {
    http: words.http ?? null,
    port: words.port ?? null,
    tls: words.tls ?? server.tls,
    interMs,
    fastInterMs: words.fastInterMs ?? interMs,
    downInterMs: words.downInterMs ?? interMs,
    timeoutMs: words.timeoutMs ?? interMs,
    rise: words.rise ?? 2,
    fall: words.fall ?? 3,
  };
}

/** The request of `option httpchk` with nothing after it. */
export const defaultHttpCheck: HttpCheck = {
  method: "OPTIONS",
  uri: "/",
  version: "HTTP/1.0",
  headers: [],
  expect: null,
  disableOn404: false,
};

/** Where its requests go: `http://10.0.0.1:8080`, no slash at its end. */
export function serverOrigin({ host, port, tls }: Pick<ServerSpec, "host" | "port" | "tls">): string {
  return `${tls ? "https" : "http"}://${hostPort(host, port)}`;
}

/** `10.0.0.1:80`, `[::1]:80`. */
export function hostPort(host: string, port: number): string {
  return `${host.includes(":") ? `[${host}]` : host}:${port}`;
}

/** What people type for a server: `my-web/node1`. */
export function serverName(service: string, server: Pick<StaticServer, "spec">): string {
  return `${service}/${server.spec.name}`;
}
