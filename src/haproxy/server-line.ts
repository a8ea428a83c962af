// `server` and `default-server` lines.

import type { AdminState, PartialCheckSpec, ServerSpec } from "../domain/model/server.ts";
import { serverDefaults } from "../domain/model/server.ts";
import type { ProxyProtocol } from "../domain/table/tcp-options.ts";
import type { Diagnostics } from "./diagnostics.ts";
import { isAnyAddress, isHostName, isIpAddress, splitAddress } from "./grammar/address.ts";
import type { Directive } from "./sections.ts";
import { parseNumber, parseTimeMs } from "./time.ts";

/** The parameters of a server, without the checks of the backend. */
export type ServerParams = {
  readonly spec: Omit<ServerSpec, "name" | "host" | "port" | "check">;
  readonly admin: AdminState;
  readonly isChecked: boolean;
  readonly check: PartialCheckSpec;
  readonly slowStartMs: number;
  /** The header of the PROXY protocol that the server gets. */
  readonly sendProxy: ProxyProtocol | null;
};

export const defaultServerParams: ServerParams = {
  spec: serverDefaults,
  admin: "ready",
  isChecked: false,
  check: {},
  slowStartMs: 0,
  sendProxy: null,
};

/** Where a server is, or why the mesh cannot send requests there. */
export type ServerAddress = { readonly host: string; readonly port: number } | { readonly why: string };

/** Reads the address of a `server` line. */
export function serverAddress({ words }: Directive): ServerAddress {
  const text = words[2] ?? "";
  const address = splitAddress(text);
  if (address.kind === "socket") return { why: `${text}: the mesh connects to TCP ports only` };
  const { host, port, protocol } = address;
  if (/^(udp|quic)/.test(protocol)) return { why: `${text}: the mesh connects to TCP ports only` };
  if (isAnyAddress(host))
    return { why: `${text}: HAProxy would connect to the address that the client chose` };
  if (port === "") return { why: `${text} has no port: HAProxy would use the port that the client chose` };
  if (/^[+-]/.test(port)) return { why: `${text}: HAProxy would count the port from the client's port` };
  const number = Number.parseInt(port, 10);
  if (number === 0) return { why: `${text}: HAProxy would use the port that the client chose` };
  if (!isIpAddress(host) && !isDnsName(host))
    return { why: `"${host}" is not an address or a DNS name: write it in full` };
  return { host, port: number };
}

/** A DNS name has no underscores. */
function isDnsName(host: string): boolean {
  return isHostName(host) && !host.includes("_");
}

/** Reads the parameters of a `server` line. What the mesh does not do becomes a diagnostic. */
export function readServerParams(
  directive: Directive,
  defaults: ServerParams,
  diagnostics: Diagnostics,
): ServerParams {
  return readParams(directive.words.slice(3), directive, defaults, diagnostics);
}

/** Applies a `default-server` line to the defaults before it. */
export function readDefaultServer(
  directive: Directive,
  previous: ServerParams,
  diagnostics: Diagnostics,
): ServerParams {
  return readParams(directive.words.slice(1), directive, previous, diagnostics);
}

type ParamInput = {
  /** The word after the parameter. */
  readonly next: string;
  readonly current: ServerParams;
};
/** A parameter: the number of words it takes, and what it changes. */
type ParamReader = { readonly takes: 0 | 1; readonly change: (read: ParamInput) => Partial<ServerParams> };

const specParam = (takes: 0 | 1, of: (next: string) => Partial<ServerParams["spec"]>): ParamReader => ({
  takes,
  change: ({ next, current }) => ({ spec: { ...current.spec, ...of(next) } }),
});
const checkParam = (takes: 0 | 1, of: (next: string) => PartialCheckSpec): ParamReader => ({
  takes,
  change: ({ next, current }) => ({ check: { ...current.check, ...of(next) } }),
});
const timeParam = (of: (ms: number) => PartialCheckSpec) => checkParam(1, (next) => of(parseTimeMs(next)));
const countParam = (of: (n: number) => PartialCheckSpec) => checkParam(1, (next) => of(parseNumber(next)));

const paramReaders: ReadonlyMap<string, ParamReader> = new Map(
  Object.entries<ParamReader>({
    check: { takes: 0, change: () => ({ isChecked: true }) },
    "no-check": { takes: 0, change: () => ({ isChecked: false }) },
    disabled: { takes: 0, change: () => ({ admin: "maint" }) },
    enabled: { takes: 0, change: () => ({ admin: "ready" }) },
    slowstart: { takes: 1, change: ({ next }) => ({ slowStartMs: slowStartMs(next) }) },
    "send-proxy": { takes: 0, change: () => ({ sendProxy: "v1" }) },
    "send-proxy-v2": { takes: 0, change: () => ({ sendProxy: "v2" }) },
    "no-send-proxy": { takes: 0, change: () => ({ sendProxy: null }) },
    "no-send-proxy-v2": { takes: 0, change: () => ({ sendProxy: null }) },
    weight: specParam(1, (next) => ({ weight: parseNumber(next) })),
    maxconn: specParam(1, (next) => ({ maxConn: Math.max(0, parseNumber(next)) })),
    cookie: specParam(1, (next) => ({ cookie: next })),
    backup: specParam(0, () => ({ backup: true })),
    "no-backup": specParam(0, () => ({ backup: false })),
    ssl: specParam(0, () => ({ tls: true })),
    "no-ssl": specParam(0, () => ({ tls: false })),
    "check-ssl": checkParam(0, () => ({ tls: true })),
    "no-check-ssl": checkParam(0, () => ({ tls: false })),
    inter: timeParam((interMs) => ({ interMs })),
    fastinter: timeParam((fastInterMs) => ({ fastInterMs })),
    downinter: timeParam((downInterMs) => ({ downInterMs })),
    rise: countParam((rise) => ({ rise })),
    fall: countParam((fall) => ({ fall })),
    port: countParam((port) => ({ port: port > 0 && port <= 65_535 ? port : null })),
  }),
);

/** HAProxy rounds a slow start up to seconds. */
function slowStartMs(text: string): number {
  return Math.ceil(parseTimeMs(text) / 1_000) * 1_000;
}

/** A parameter without an effect in the mesh: the number of words it takes, and the reason. */
type UnsupportedParam = readonly [takes: number, note: string];

const tlsNote = "the platform chooses";
export const proxyProtocolNote = "servers receive X-Forwarded-For, not the PROXY protocol";
const agentNote = "the mesh has no agent checks";
const resolverNote = "the platform resolves names";
const poolNote = "the platform manages connections";
const authorityNote = "certificates are verified by the platform's authorities";
const failureNote = "the mesh ejects a failing server at once";

const unsupportedParams: ReadonlyMap<string, UnsupportedParam> = new Map(
  Object.entries<UnsupportedParam>({
    verify: [1, "certificates are always verified"],
    "ca-file": [1, authorityNote],
    "crl-file": [1, authorityNote],
    crt: [1, "the mesh has no client certificate"],
    sni: [1, "the server name indication is the server's host name"],
    "check-sni": [1, "the server name indication is the server's host name"],
    verifyhost: [1, "the server's host name is verified"],
    alpn: [1, tlsNote],
    npn: [1, tlsNote],
    "check-alpn": [1, tlsNote],
    proto: [1, tlsNote],
    "check-proto": [1, tlsNote],
    ciphers: [1, tlsNote],
    ciphersuites: [1, tlsNote],
    curves: [1, tlsNote],
    sigalgs: [1, tlsNote],
    "client-sigalgs": [1, tlsNote],
    "ssl-min-ver": [1, tlsNote],
    "ssl-max-ver": [1, tlsNote],
    "allow-0rtt": [0, tlsNote],
    "send-proxy-v2-ssl": [0, proxyProtocolNote],
    "send-proxy-v2-ssl-cn": [0, proxyProtocolNote],
    "proxy-v2-options": [1, proxyProtocolNote],
    "check-send-proxy": [0, "checks do not use the PROXY protocol"],
    "check-via-socks4": [0, "checks connect to servers directly"],
    addr: [1, "a server is checked at its own address; `port` sets another port"],
    "agent-check": [0, agentNote],
    "agent-port": [1, agentNote],
    "agent-inter": [1, agentNote],
    "agent-addr": [1, agentNote],
    "agent-send": [1, agentNote],
    track: [1, "each server is checked separately"],
    observe: [1, failureNote],
    "error-limit": [1, failureNote],
    "on-error": [1, failureNote],
    "on-marked-down": [1, "open requests continue"],
    "on-marked-up": [1, "open requests continue"],
    maxqueue: [1, "the queue of a service has no limit for each server"],
    minconn: [1, "maxconn is fixed"],
    "pool-max-conn": [1, poolNote],
    "pool-purge-delay": [1, poolNote],
    "pool-low-conn": [1, poolNote],
    "pool-conn-name": [1, poolNote],
    "max-reuse": [1, poolNote],
    resolvers: [1, resolverNote],
    "resolve-prefer": [1, resolverNote],
    "resolve-net": [1, resolverNote],
    "resolve-opts": [1, resolverNote],
    "init-addr": [1, resolverNote],
    "init-state": [1, "a new server is up, and its first failure takes it down"],
    namespace: [1, "the mesh has no network namespaces"],
    "non-stick": [0, "every server except a backup can be sticky"],
    redir: [1, "the mesh does not redirect"],
    shard: [1, "the mesh has no peers"],
    socks4: [1, "the mesh connects to servers directly"],
    source: [1, "requests come from the balancer's address"],
    usesrc: [1, "requests come from the balancer's address"],
    interface: [1, "requests come from the balancer's address"],
    tfo: [0, tlsNote],
    "tcp-ut": [1, poolNote],
    "tcp-md5sig": [1, poolNote],
    ws: [1, "WebSocket upgrades pass unchanged"],
    "hash-key": [1, "servers are hashed by name"],
    "log-proto": [1, "the mesh has no access log"],
    "log-bufsize": [1, "the mesh has no access log"],
    "set-proxy-v2-tlv-fmt": [1, proxyProtocolNote],
    "strict-maxconn": [0, "open requests are counted, not connections"],
  }),
);

/** Parameters that only name or tune something, or say what the mesh does anyway. */
const silentParams: ReadonlyMap<string, number> = new Map(
  Object.entries({
    ...{ id: 1, guid: 1, stick: 0, "ssl-reuse": 0, "tls-tickets": 0, "no-tfo": 0, "no-ssl-reuse": 0 },
    ...{ "no-agent-check": 0, "no-send-proxy-v2-ssl": 0 },
    ...{ "no-send-proxy-v2-ssl-cn": 0, "no-check-send-proxy": 0, "no-verifyhost": 0, renegotiate: 0 },
    ...{ "no-renegotiate": 0 },
  }),
);

function readParams(
  words: readonly string[],
  directive: Directive,
  defaults: ServerParams,
  diagnostics: Diagnostics,
): ServerParams {
  let current = defaults;
  for (let at = 0; at < words.length; at += 1) {
    const word = words[at] ?? "";
    const param = paramReaders.get(word);
    const silent = silentParams.get(word);
    if (param !== undefined) {
      current = { ...current, ...param.change({ next: words[at + 1] ?? "", current }) };
      at += param.takes;
    } else if (silent !== undefined) at += silent;
    else {
      const [takes, note] = unsupportedParams.get(word.replace(/\(.*$/s, "")) ?? [0, tlsNote];
      // A required verification is what the mesh does.
      const isRequired = word === "verify" && words[at + 1] === "required";
      if (!isRequired) diagnostics.add(directive, "could not", `${word}: ${note}`);
      at += takes;
    }
  }
  return current;
}
